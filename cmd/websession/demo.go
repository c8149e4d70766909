package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/websession/websession/cmd/websession/internal/demo"
)

// demoResult is what websession demo prints.
type demoResult struct {
	URL     string   `json:"url"`
	Class   string   `json:"class"`
	Servers []string `json:"servers"` // addresses of the servers behind URL
}

func newDemo(out *output, env environment) *cobra.Command {
	var store storeFlags
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve a page that shows sessions on several servers",
		Long: `demo starts application servers, each with a store handle of its own, and a
front end that spreads requests over them. All of it listens on loopback. It
prints the address to open, and serves until it is interrupted.

Without a class the sessions lie in a temporary folder that goes at the end.

Scripts can drive it: POST /login (name), POST /set (key, value, delay),
POST /logout, POST /logout-others, and GET /api/session, which answers JSON.
delay is the time between load and save, such as 500ms, at most ` + demo.MaxDelay.String() + `.`,
		Example: `  websession demo
  websession demo --servers 3 --listen 127.0.0.1:9000
  websession demo --class File --prop Directory=/var/lib/sessions`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("listen") && o.Listen == "" {
				return usagef(cmd, "--listen is empty")
			}
			if err := o.Check(); err != nil {
				return &usageError{cmd, err}
			}
			chosen, err := store.config()
			if err != nil {
				return err
			}
			place, err := demo.NewPlace(chosen)
			if err != nil {
				return err
			}
			o.Store = place.Store
			if err = store.check(o.Store); err == nil {
				o.Log = newLog(cmd.ErrOrStderr())
				err = serveDemo(cmd.Context(), o, place, out, cmd.OutOrStdout())
			}
			return errors.Join(err, place.Remove())
		},
	}
	store.register(cmd, env)
	cmd.Flags().IntVar(&o.Servers, "servers", demo.DefaultServers, "`number` of application servers")
	cmd.Flags().StringVar(&o.Listen, "listen", "", "loopback `address` of the front end (default "+demo.DefaultListen+", or a free port if that is taken)")
	return cmd
}

// serveDemo serves until ctx ends.
func serveDemo(ctx context.Context, o demo.Options, place *demo.Place, out *output, stdout io.Writer) error {
	d, err := demo.Start(ctx, o)
	if err != nil {
		return err
	}
	result := demoResult{URL: d.URL(), Class: d.Class(), Servers: d.Servers()}
	err = out.print(stdout, result, func(w io.Writer) error {
		where := ""
		if place.Temporary() {
			where = " in a temporary folder that goes at the end"
		}
		_, err := fmt.Fprintf(w, "%s\n%d servers share one store of class %s%s. Ctrl-C ends the demo.\n",
			result.URL, len(result.Servers), result.Class, where)
		return err
	})
	if err == nil {
		err = d.Wait(ctx)
	}
	return errors.Join(err, d.Close())
}

// newLog answers a logger of what people should know, one line each.
func newLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: slog.LevelWarn,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		},
	}))
}
