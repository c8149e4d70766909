package cassandra

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// schemaVersion is that of the tables. It stands in their comments, beside how
// conflicts are settled: a table that is written in both ways would keep neither
// promise.
const schemaVersion = 1

// table is a table that a store needs.
type table struct {
	name, keyspace string
	comment        string
	columns        []column
	options        string
}

// column is a column of a table, in the words of system_schema.columns.
type column struct{ name, kind, kindOf string }

const (
	partition  = "partition_key"
	clustering = "clustering"
	regular    = "regular"
)

// tables answers both tables of a store.
//
// Leveled compaction brings the parts of a session, which is written again and
// again, together soon. Tombstones stay for ten days, which is longer than the
// sessions of most: a node that was away for longer than that, and was not
// repaired, brings back nothing that has not ended by itself.
//
// A coordinator asks two of three copies, and for seconds may not know that one of
// them is dead. It asks the third after 50 ms; by default, after the 99th percentile
// of the read latency, which on a busy ring is more than a request can wait.
func tables(o Options) []table {
	const options = "compaction = {'class': 'LeveledCompactionStrategy'}\n  AND gc_grace_seconds = 864000\n  AND default_time_to_live = 0\n  AND speculative_retry = '50ms'"
	comment := fmt.Sprintf("schema %d, conflict: %s", schemaVersion, o.Conflict)
	return []table{{
		name: o.Table, keyspace: o.Keyspace, comment: "websession sessions, " + comment, options: options,
		columns: []column{
			{"session_key", "text", partition}, {"version", "blob", regular}, {"expires", "timestamp", regular},
			{"ix", "blob", regular}, {"data", "blob", regular},
		},
	}, {
		name: indexTable(o.Table), keyspace: o.Keyspace, comment: "websession index, " + comment, options: options,
		columns: []column{
			{"field", "text", partition}, {"digest", "text", partition}, {"session_key", "text", clustering}, {"mark", "blob", clustering},
			{"entered", "timestamp", regular},
		},
	}}
}

// statement answers what makes the table. id is "" or that of the table.
func (t table) statement(id string) string {
	var lines, keys, partitions []string
	for _, c := range t.columns {
		lines = append(lines, "  "+c.name+" "+c.kind)
		switch c.kindOf {
		case partition:
			partitions = append(partitions, c.name)
		case clustering:
			keys = append(keys, c.name)
		}
	}
	keys = append([]string{"(" + strings.Join(partitions, ", ") + ")"}, keys...)
	lines = append(lines, "  PRIMARY KEY ("+strings.Join(keys, ", ")+")")
	options := "comment = '" + t.comment + "'\n  AND " + t.options
	if id != "" {
		options = "ID = " + id + "\n  AND " + options
	}
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n%s\n) WITH %s", qualified(t.keyspace, t.name), strings.Join(lines, ",\n"), options)
}

// id is the same for all who make the table at the same time. Otherwise two nodes
// that are asked together would make two tables of one name, and would not agree.
func (t table) id() string {
	h := sha256.Sum256([]byte("websession " + t.keyspace + "." + t.name))
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80 // a name-based UUID
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// ready checks the table, makes it if it is not there, and waits until it can be
// used: a node lists a table before it has it.
func (t table) ready(ctx context.Context, s server, o Options) error {
	if err := t.made(ctx, s, o.Warn); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	for {
		err := s.write(ctx, t.probe()) // which writes nothing
		if err == nil || !isComing(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the table %q is listed, and cannot be used: %w", t.name, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// probe answers a statement that reads a row which is not there.
func (t table) probe() string {
	var keys []string
	for _, c := range t.columns {
		if c.kindOf == partition {
			keys = append(keys, c.name+" = '-'")
		}
	}
	return "SELECT " + t.columns[0].name + " FROM " + qualified(t.keyspace, t.name) + " WHERE " + strings.Join(keys, " AND ")
}

// made checks the table, and makes it if it is not there.
func (t table) made(ctx context.Context, s server, warn func(string)) error {
	there, err := t.check(ctx, s)
	if there || err != nil {
		return err
	}
	if err := s.change(ctx, t.statement(t.id())); errors.Is(err, errNoAgreement) {
		warn("The nodes do not agree on the schema yet, perhaps because one is down.")
	} else if err != nil {
		if there, again := t.check(ctx, s); there || again != nil { // somebody else made it
			return again
		}
		return fmt.Errorf("making the table %q: %w", t.name, err)
	}
	return appears(ctx, fmt.Sprintf("the table %q", t.name), func() (bool, error) { return t.check(ctx, s) })
}

// schemaWait is how long it is waited for what was made.
const schemaWait = 20 * time.Second

// appears looks for something that was made until it is there: the node that is
// asked may be another one than made it, and not know it yet.
func appears(ctx context.Context, what string, look func() (there bool, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, schemaWait)
	defer cancel()
	for {
		there, err := look()
		if there || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s was made, and is not there: wait until the nodes agree on the schema", what)
		case <-time.After(pause):
		}
	}
}

// errNoAgreement says that a change was made, and that not all nodes know it yet.
var errNoAgreement = errors.New("the nodes do not agree on the schema")

// check reports whether the table is there, and why it cannot be used.
func (t table) check(ctx context.Context, s server) (there bool, err error) {
	rows, err := s.texts(ctx, "SELECT comment, default_time_to_live FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?", t.keyspace, t.name)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	if err := t.checkComment(rows[0]["comment"]); err != nil {
		return true, err
	}
	if ttl := rows[0]["default_time_to_live"]; ttl != "0" {
		return true, fmt.Errorf("the table %q has default_time_to_live %s, and sessions have their own: run ALTER TABLE %s WITH default_time_to_live = 0",
			t.name, ttl, qualified(t.keyspace, t.name))
	}
	rows, err = s.texts(ctx, "SELECT column_name, kind, type FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?", t.keyspace, t.name)
	if err != nil {
		return true, err
	}
	for _, c := range t.columns {
		found := false
		for _, r := range rows {
			found = found || r["column_name"] == c.name && r["kind"] == c.kindOf && r["type"] == c.kind
		}
		if !found {
			return true, fmt.Errorf("the table %q has no column %s of the kind %s, %s: somebody has changed it, or made it for something else: choose another name by the property table",
				t.name, c.name, c.kind, c.kindOf)
		}
	}
	for _, r := range rows { // a column in the key would make another key of it
		if kind := r["kind"]; (kind == partition || kind == clustering) && !t.inKey(r["column_name"]) {
			return true, fmt.Errorf("the table %q has the column %s in its key: it was made for something else: choose another name by the property table", t.name, r["column_name"])
		}
	}
	return true, nil
}

func (t table) inKey(name string) bool {
	for _, c := range t.columns {
		if c.name == name {
			return c.kindOf != regular
		}
	}
	return false
}

// checkComment reports a table that somebody else made, or that has to be used in
// another way.
func (t table) checkComment(comment string) error {
	if comment == t.comment {
		return nil
	}
	what, rest, _ := strings.Cut(comment, ", schema ")
	number, conflict, _ := strings.Cut(rest, ", conflict: ")
	version, err := strconv.Atoi(number)
	switch wanted, _, _ := strings.Cut(t.comment, ", schema "); {
	case what != wanted || err != nil:
		return fmt.Errorf("the table %q was not made by websession: choose another name by the property table", t.name)
	case version > schemaVersion:
		return fmt.Errorf("the table %q has the schema version %d, and this program knows versions up to %d: use a newer version of websession", t.name, version, schemaVersion)
	case version < schemaVersion:
		return fmt.Errorf("the table %q has the schema version %d, which this program does not know: choose another name by the property table", t.name, version)
	}
	return fmt.Errorf("the table %q is written with conflict: %s, by all or by none: set the property conflict to that, or choose another table", t.name, conflict)
}
