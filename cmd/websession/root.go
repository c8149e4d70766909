package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	_ "github.com/websession/websession/backends" // every built-in class
)

// Exit codes.
const (
	exitOK    = 0
	exitWrong = 1 // something is wrong with a store, a file, the network ...
	exitUsage = 2 // something is wrong with the command line
)

// usageError is the error of a command line that cannot be carried out.
type usageError struct {
	cmd *cobra.Command
	err error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usagef answers a usageError of cmd.
func usagef(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{cmd, fmt.Errorf(format, args...)}
}

// noArgs is the Args of a command that has flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef(cmd, "unexpected argument %.80q", args[0])
	}
	return nil
}

// run executes a command line until it is done or ctx ends, and answers the
// exit code. Results go to stdout, everything else to stderr.
func run(ctx context.Context, args []string, env environment, stdout, stderr io.Writer) int {
	root := newRoot(env)
	root.SetArgs(append([]string{}, args...)) // never nil, which means os.Args
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "websession: %v\n", err)
	var usage *usageError
	if !errors.As(err, &usage) {
		return exitWrong
	}
	fmt.Fprintf(stderr, "Run %q for help.\n", usage.cmd.CommandPath()+" --help")
	return exitUsage
}

func newRoot(env environment) *cobra.Command {
	out := &output{}
	root := &cobra.Command{
		Use:   "websession",
		Short: "Show, inspect and clean stores of sessions",
		Long: `websession works with the stores that the Go module
github.com/websession/websession keeps sessions in.

A store is a class and its properties. They are chosen by --class or --url, and
--prop; then by the file of --config; then by the environment: WEBSESSION_CLASS
or WEBSESSION_URL, and WEBSESSION_PROP_<name> for a property, its name as it is
written: WEBSESSION_PROP_Directory. What comes first wins, property by property;
another class replaces the properties too.

It exits with 0, with 1 if something is wrong, and with 2 if the command line is.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              cobra.ArbitraryArgs, // RunE refuses them, as a usageError
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return usagef(cmd, "a command is missing: %s", strings.Join(commandNames(cmd), ", "))
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &usageError{cmd, err} })
	root.PersistentFlags().BoolVar(&out.json, "json", false, "print JSON")
	root.SetHelpCommand(newHelp())
	root.AddCommand(newCheck(out, env), newClasses(out, env), newDemo(out, env), newProperties(), newSchema(out, env))
	return root
}

// newHelp is cobra's help command, but that an unknown command is an error.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Explain a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(cmd.Root(), strings.Join(args, " "))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

func unknownCommand(root *cobra.Command, name string) error {
	root.SuggestionsMinimumDistance = 2
	if near := root.SuggestionsFor(name); len(near) > 0 {
		return usagef(root, "unknown command %.80q: did you mean %q?", name, near[0])
	}
	return usagef(root, "unknown command %.80q: known are %s", name, strings.Join(commandNames(root), ", "))
}

func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}
