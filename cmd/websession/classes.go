package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/websession/websession/session"
)

// openTime bounds opening the stores that classes looks at.
const openTime = 10 * time.Second

func newClasses(out *output, env environment) *cobra.Command {
	var store storeFlags
	cmd := &cobra.Command{
		Use:   "classes [CLASS]",
		Short: "List the classes of stores, their properties, and what they can do",
		Long: `classes lists the classes of stores with their URLs and properties, and which
operations are native, emulated or unavailable. With a name it lists that class
only, in full.

What a store can do it says when it is open. Classes that need no server are
opened in a temporary folder. If a store is chosen, it is opened as well, and
its answer stands in the row of its class.`,
		Example: `  websession classes
  websession classes File
  websession classes --json --class File --prop Directory=/var/lib/sessions`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef(cmd, "unexpected argument %.80q", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := store.config()
			if err != nil {
				return err
			}
			if chosen.Class == "" && len(store.props) > 0 {
				return usagef(cmd, "--prop belongs to a store, and none is chosen: use --class or --url")
			}
			infos := describeAll()
			if len(args) == 1 {
				if infos, err = only(infos, args[0], cmd); err != nil {
					return err
				}
				if driverOf(chosen.Class) != nil && canonical(chosen.Class) != infos[0].Class {
					chosen = session.Config{} // of another class: nobody asked
				}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), openTime)
			defer cancel()
			err = store.look(ctx, infos, chosen)
			// What is known is worth printing, whatever is wrong with the store.
			return errors.Join(out.print(cmd.OutOrStdout(), survey{infos}, func(w io.Writer) error {
				return survey{infos}.write(w, len(args) == 1)
			}), err)
		},
	}
	store.register(cmd, env)
	return cmd
}

// only answers the class of a name or alias.
func only(infos []classInfo, name string, cmd *cobra.Command) ([]classInfo, error) {
	var names []string
	for _, info := range infos {
		if info.Class == name || slices.Contains(info.Aliases, name) {
			return []classInfo{info}, nil
		}
		names = append(names, info.Class)
	}
	return nil, usagef(cmd, "unknown class %.80q: known are %s", name, strings.Join(names, ", "))
}

// look opens the chosen store, if there is one, and stores of the other classes
// where that needs no server, to fill in what they can do.
func (f *storeFlags) look(ctx context.Context, infos []classInfo, chosen session.Config) (err error) {
	if chosen.Class != "" {
		err = f.check(chosen)
	}
	var s scratch
	for i := range infos {
		info := &infos[i]
		if info.Class != canonical(chosen.Class) {
			s.look(ctx, info)
			continue
		}
		if err == nil {
			err = info.open(ctx, chosen, configuredStore)
		}
		if info.Store == "" {
			info.Note = "the store that is configured cannot be opened"
		}
	}
	return errors.Join(err, s.remove())
}
