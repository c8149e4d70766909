package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/websession/websession/session/driver"
)

// schemaMaker is implemented by a driver.Connector whose stores live in a schema
// that an administrator can make by hand. It does no I/O.
type schemaMaker interface {
	// Schema answers the statements that make it, in their order.
	Schema(indexed []string) ([]string, error)
}

// schemaResult is what websession schema prints.
type schemaResult struct {
	Class      string   `json:"class"`
	Statements []string `json:"statements"`
}

func newSchema(out *output, env environment) *cobra.Command {
	var store storeFlags
	var indexed []string
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the statements that make the schema of a store",
		Long: `schema prints the statements that make the tables and indexes of a store, for
administrators who run them by hand. A store makes them by itself if it may.

It opens nothing, so the properties that say where the store is can be left out.`,
		Example: `  websession schema --class SQLite
  websession schema --class SQLite --prop table=my_sessions --index user --index tenant`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen, err := store.chosen()
			if err != nil {
				return err
			}
			if wrong := store.check(chosen); wrong != nil && !lacksOnly(wrong) {
				return wrong
			}
			made, has, err := schemaOf(driverOf(chosen.Class), chosen.Properties, indexed)
			if err != nil {
				if cmd.Flags().Changed("index") {
					err = &usageError{cmd, err}
				}
				return err
			}
			result := schemaResult{canonical(chosen.Class), append([]string{}, made...)}
			return out.print(cmd.OutOrStdout(), result, func(w io.Writer) error {
				if !has {
					_, err := fmt.Fprintf(w, "class %s has no schema: it makes what it needs\n", result.Class)
					return err
				}
				_, err := io.WriteString(w, result.text())
				return err
			})
		},
	}
	store.register(cmd, env)
	cmd.Flags().StringArrayVar(&indexed, "index", []string{"user"}, "index `field`: an attribute that sessions are found by; can be repeated; empty for none")
	return cmd
}

// schemaOf answers the statements that make the schema of a store, and whether
// its class has one.
func schemaOf(d driver.Driver, props map[string]any, indexed []string) (made []string, has bool, err error) {
	class := d.Class().Name
	if len(indexed) == 1 && indexed[0] == "" {
		indexed = nil
	}
	dec := driver.NewDecoder(class, props)
	connector, err := d.Configure(dec) // which was checked, but for what is missing
	if connector == nil && err == nil {
		return nil, false, dec.Err()
	}
	maker, has := connector.(schemaMaker)
	if has && err == nil {
		made, err = maker.Schema(indexed)
	}
	if err != nil {
		return nil, has, fmt.Errorf("class %s: %w", class, err)
	}
	return made, has, nil
}

// text answers the statements as a script.
func (r schemaResult) text() string {
	var b strings.Builder
	for _, s := range r.Statements {
		b.WriteString(strings.TrimRight(s, "; \n") + ";\n")
	}
	return b.String()
}
