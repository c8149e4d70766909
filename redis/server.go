package redis

import "context"

// server is all that a store needs of a client library. It is safe for
// concurrent use. No method sends a command a second time that may have been
// executed. A call whose context ends returns soon after; its command may still
// be executed.
type server interface {
	// do sends one command, together with those of others when there are many.
	do(ctx context.Context, c command) (any, error)

	// pipe sends commands together, in order for each key, and answers each.
	pipe(ctx context.Context, cs []command) []answer

	// confirm sends a command with one key, and on the same connection a WAIT
	// for replicas. It answers how many have what was written. acked is -1 when
	// the command itself failed.
	confirm(ctx context.Context, c command, w wait) (a answer, acked int64, err error)

	// masters answers every server that holds records.
	masters(ctx context.Context) ([]node, error)

	// separate reports whether keys of one call may lie on different servers.
	separate() bool

	// close ends what belongs to the store.
	close() error
}

// node is one of several servers.
type node interface {
	address() string
	do(ctx context.Context, c command) (any, error)
}

// command is a command with its arguments: strings, byte slices, integers, one
// value that is lent. Its name is in small letters, in which go-redis wants it.
type command struct {
	args []any
	key  string // the first key, "" if there is none
	firm bool   // an absence that it finds must be confirmed, too

	// change: it may change something. Its last argument is a string.
	change bool
}

// answer is what a server answered to one command: a string, an int64, a list
// of such, or nil.
type answer struct {
	value any
	err   error
}

// wait says how many replicas must have a write, and how long that may take.
type wait struct {
	replicas int
	ms       int64
}

// firm, as the last argument of a script, has an absence confirmed, too. The id
// of a record, which stands there otherwise, has no colon.
const firm = ":firm"

func cmd(key string, args ...any) command { return command{args: args, key: key} }

// call answers the command that runs a script by its digest.
func (s script) call(keys []string, args ...any) command {
	return s.command("evalsha", s.sha, keys, args)
}

// full answers the command that runs a script by its text.
func (s script) full(keys []string, args ...any) command {
	return s.command("eval", s.text, keys, args)
}

func (s script) command(name, what string, keys []string, args []any) command {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, name, what, len(keys))
	for _, k := range keys {
		all = append(all, k)
	}
	return command{args: append(all, args...), key: keys[0], change: len(args) > 0}
}
