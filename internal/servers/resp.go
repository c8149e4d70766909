package servers

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

// redisError is an error that Redis answered: it is there.
type redisError string

func (e redisError) Error() string { return "Redis answered: " + string(e) }

// access is how Redis is talked to.
type access struct {
	password string
	tls      *tls.Config // nil: plain text
}

// RedisConn is a connection to a Redis server, for a look at it that needs no
// client library. It is not safe for concurrent use.
type RedisConn struct {
	conn net.Conn
	r    *bufio.Reader
}

// DialRedis connects to a server that needs neither a password nor TLS. The
// deadline of the context holds for the whole life of the connection.
func DialRedis(ctx context.Context, addr string) (*RedisConn, error) { return access{}.dial(ctx, addr) }

func (a access) dial(ctx context.Context, addr string) (*RedisConn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if deadline, has := ctx.Deadline(); has {
		conn.SetDeadline(deadline)
	}
	if a.tls != nil {
		conn = tls.Client(conn, a.tls)
	}
	c := &RedisConn{conn, bufio.NewReader(conn)}
	if a.password != "" {
		if _, err := c.Do("AUTH", a.password); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// Close closes the connection.
func (c *RedisConn) Close() error { return c.conn.Close() }

// Do sends one command. The answer is a string, an int64, nil, or a []any of
// these.
func (c *RedisConn) Do(command ...string) (any, error) {
	answers, err := c.DoAll([][]string{command})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", command[0], err)
	}
	return answers[0], nil
}

// DoAll sends commands together, and answers the first error among the answers.
// The answers must be small: they are read when everything is sent.
func (c *RedisConn) DoAll(commands [][]string) (answers []any, err error) {
	var b strings.Builder
	for _, command := range commands {
		fmt.Fprintf(&b, "*%d\r\n", len(command))
		for _, arg := range command {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
		}
	}
	if _, err := io.WriteString(c.conn, b.String()); err != nil {
		return nil, err
	}
	for range commands {
		v, fault := reply(c.r)
		var refused redisError
		if fault != nil && !errors.As(fault, &refused) {
			return nil, fault
		}
		if err == nil {
			err = fault
		}
		answers = append(answers, v)
	}
	return answers, err
}

// ask sends one command over a connection of its own.
func (a access) ask(ctx context.Context, addr string, command ...string) (any, error) {
	c, err := a.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	v, err := c.Do(command...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	return v, nil
}

func reply(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return nil, errors.New("this is not Redis")
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return nil, redisError(rest)
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	}
	n, err := strconv.Atoi(rest)
	switch {
	case err != nil || kind != '$' && kind != '*':
		return nil, errors.New("this is not Redis")
	case n < 0:
		return nil, nil
	case kind == '$':
		text := make([]byte, n+2)
		_, err := io.ReadFull(r, text)
		return string(text[:max(0, len(text)-2)]), err
	}
	list := make([]any, n)
	for i := range list {
		if list[i], err = reply(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// text answers what a command does that answers a text, such as INFO.
func (a access) text(ctx context.Context, addr string, command ...string) (string, error) {
	v, err := a.ask(ctx, addr, command...)
	s, _ := v.(string)
	return s, err
}

// texts answers the list of a command such as ROLE; what is no text is "".
func (a access) texts(ctx context.Context, addr string, command ...string) ([]string, error) {
	v, err := a.ask(ctx, addr, command...)
	return stringsOf(v), err
}

func stringsOf(v any) []string {
	list, _ := v.([]any)
	texts := make([]string, len(list))
	for i := range list {
		texts[i], _ = list[i].(string)
	}
	return texts
}

// pairs reads a list of names and values.
func pairs(list []string) map[string]string {
	m := make(map[string]string)
	for i := 0; i+1 < len(list); i += 2 {
		m[list[i]] = list[i+1]
	}
	return m
}

// fields reads the lines name:value of INFO and CLUSTER INFO.
func fields(info string) map[string]string {
	m := make(map[string]string)
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			m[name] = value
		}
	}
	return m
}

// client is the TLS of somebody who has the files of a server.
func (f *TLSFiles) client() (*tls.Config, error) {
	if f == nil {
		return nil, nil
	}
	ca, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s has no certificate", f.CA)
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, ServerName: "127.0.0.1"}, nil
}
