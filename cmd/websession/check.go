package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// checkTime is how long websession check takes at most by default.
const checkTime = 10 * time.Second

func newCheck(out *output, env environment) *cobra.Command {
	var store storeFlags
	timeout := checkTime
	purge := false
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Try whether a store works",
		Long: `check opens a store and does one of every operation, on a session of its own
that it removes again. It prints how long each took, and what the server says
about itself. It exits with 1 if something is wrong; warnings alone do not count.

Other sessions are neither changed nor shown. What opening a store makes, such
as its folder or table, stays. With --purge, expired sessions are deleted, as
every application that uses the store does from time to time.`,
		Example: `  websession check --class File --prop Directory=/var/lib/sessions
  websession check --config app.yaml --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if timeout <= 0 {
				return usagef(cmd, "--timeout is %v: it must be positive", timeout)
			}
			chosen, err := store.chosen()
			if err != nil {
				return err
			}
			if err := store.check(chosen); err != nil {
				return err
			}
			c := &checkup{
				open: func(ctx context.Context, o *session.Options) (*session.Manager, error) {
					return chosen.Open(ctx, o)
				},
				timeout: timeout,
				purge:   purge,
				secrets: secretsOf(chosen),
			}
			report := c.run(cmd.Context(), canonical(chosen.Class))
			err = out.print(cmd.OutOrStdout(), report, func(w io.Writer) error { return report.write(w) })
			if err == nil && !report.OK {
				err = fmt.Errorf("the store of class %s does not work: %s", report.Class, report.failures())
			}
			return err
		},
	}
	store.register(cmd, env)
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "`time` that all of it may take")
	cmd.Flags().BoolVar(&purge, "purge", false, "delete expired sessions too")
	return cmd
}

// secretsOf answers the values that must not be printed.
func secretsOf(c session.Config) []string {
	d := driverOf(c.Class)
	dec := driver.NewDecoder(d.Class().Name, c.Properties)
	d.Configure(dec) // was checked
	var secrets []string
	for _, p := range dec.Asked() {
		if v := c.Properties[p.Name]; p.Type == "secret" && v != nil {
			secrets = append(secrets, fmt.Sprint(v))
		}
	}
	return secrets
}
