package backends_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
)

// otherServer is set in a process that plays the second server.
const otherServer = "WEBSESSION_TEST_OTHER_SERVER"

func TestMain(m *testing.M) {
	if config := os.Getenv(otherServer); config != "" {
		if err := serve(config, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "other server:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if config := os.Getenv(churner); config != "" {
		var c churn
		err := json.Unmarshal([]byte(config), &c)
		if err == nil {
			err = c.run(os.Stdout)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "churn:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serve obeys commands, a line each, and answers each by a line:
//
//	load ID   loads the session, as a request does that will be slow
//	save      sets the attribute right in it, and saves: saved, or gone
//	destroy   ends it: destroyed
func serve(config string, in io.Reader, out io.Writer) error {
	var c session.Config
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	ctx := context.Background()
	m, err := c.Open(ctx, nil)
	if err != nil {
		return err
	}
	defer m.Close()
	var s *session.Session
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		command, id, _ := strings.Cut(lines.Text(), " ")
		answer := ""
		switch command {
		case "load":
			answer = "loaded"
			s, err = m.Load(ctx, session.ID(id))
		case "save":
			answer = "saved"
			if err = right.Set(s, "r"); err == nil {
				err = s.Save(ctx)
			}
			if errors.Is(err, session.ErrNotFound) {
				answer, err = "gone", nil
			}
		case "destroy":
			answer = "destroyed"
			err = s.Destroy(ctx)
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

// other is the second server.
type other struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Scanner
}

// start starts the second server on the place of props.
func (p place) start(t *testing.T, props map[string]any) *other {
	config, err := json.Marshal(session.Config{Class: p.class, Properties: props})
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), otherServer+"="+string(config))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, in.Close())
		require.NoError(t, cmd.Wait())
	})
	return &other{t, in, bufio.NewScanner(out)}
}

func (o *other) tell(command string) {
	_, err := fmt.Fprintln(o.in, command)
	require.NoError(o.t, err)
}

func (o *other) answer() string {
	require.True(o.t, o.out.Scan(), "the other server has ended")
	return o.out.Text()
}

// Two processes on one place: each loads a session, then both save at once; or
// one ends it while the other saves.
func TestTwoProcessesLoseNothing(t *testing.T) {
	forEachPlace(t, func(t *testing.T, p place) {
		if p.class == "Memory" {
			return // belongs to one process
		}
		props := p.props(t)
		m, err := session.Open(t.Context(), p.class, props, nil)
		require.NoError(t, err)
		defer m.Close()
		o := p.start(t, props)
		n := scaled(5000)
		begin := func() (session.ID, *session.Session) {
			id := newSession(t, m)
			o.tell("load " + id.Reveal())
			require.Equal(t, "loaded", o.answer())
			s := load(t, m, id)
			require.NoError(t, left.Set(s, "l"))
			return id, s
		}
		for range n {
			id, s := begin()
			o.tell("save")
			require.NoError(t, s.Save(t.Context()))
			require.Equal(t, "saved", o.answer())
			require.Equal(t, []string{"count", "left", "right"}, load(t, m, id).Names())
		}
		t.Logf("figure: %s: lost updates of two overlapping requests in two processes: %s", p.class, zero(n))
		told := 0
		for i := range n {
			id, s := begin()
			if i%2 == 0 {
				o.tell("destroy")
				if err := s.Save(t.Context()); err != nil {
					require.ErrorIs(t, err, session.ErrNotFound)
					told++
				}
				require.Equal(t, "destroyed", o.answer())
			} else {
				o.tell("save")
				require.NoError(t, m.Destroy(t.Context(), id))
				if o.answer() == "gone" {
					told++
				}
			}
			_, err := m.Load(t.Context(), id)
			require.ErrorIs(t, err, session.ErrNotFound)
		}
		t.Logf("figure: %s: destroyed sessions that a save in another process brought back: %s; %d savers came too late and were told", p.class, zero(n), told)
	})
}
