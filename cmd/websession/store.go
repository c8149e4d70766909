package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/websession/websession/session"
)

// storeFlags choose the store that a command works with.
type storeFlags struct {
	cmd   *cobra.Command
	class string
	props []string
	url   string
	file  string
}

// register adds the flags to cmd.
func (f *storeFlags) register(cmd *cobra.Command) {
	f.cmd = cmd
	fs := cmd.Flags()
	fs.StringVar(&f.class, "class", "", "`class` of the store, such as File")
	fs.StringArrayVar(&f.props, "prop", nil, "property of the store, `name=value`; a name that is repeated makes a list")
	fs.StringVar(&f.url, "url", "", "`URL` of the store, such as file:///var/lib/sessions, in place of --class")
	fs.StringVar(&f.file, "config", "", "`file` with WebSessionClass and WebSessionProperties, JSON or YAML; flags come first")
}

// config answers the store that is chosen; its class is "" if none is. Nothing
// is opened, and the properties are not checked: see check.
func (f *storeFlags) config() (session.Config, error) {
	for _, name := range []string{"class", "url", "config"} {
		if flag := f.cmd.Flags().Lookup(name); flag.Changed && flag.Value.String() == "" {
			return session.Config{}, usagef(f.cmd, "--%s is empty", name)
		}
	}
	// The doors, those first that win.
	doors := []func() (session.Config, error){f.fromFlags, f.fromFile}
	var c session.Config
	for _, door := range doors {
		lower, err := door()
		if err != nil {
			return session.Config{}, err
		}
		c = over(c, lower)
	}
	return c, nil
}

// check reports what is wrong with c, which began as the answer of config.
func (f *storeFlags) check(c session.Config) error {
	err := session.DefaultRegistry().Check(c.Class, c.Properties)
	if err != nil && f.file == "" {
		return &usageError{f.cmd, err}
	}
	return err // perhaps it is the file that is wrong
}

// over answers what upper makes of lower: its properties come first, one by
// one, unless it chooses another class, to which those of lower mean nothing.
func over(upper, lower session.Config) session.Config {
	if upper.Class == "" {
		upper.Class = lower.Class
	} else if lower.Class != "" && canonical(lower.Class) != canonical(upper.Class) {
		return upper
	}
	props := make(map[string]any)
	maps.Copy(props, lower.Properties)
	maps.Copy(props, upper.Properties)
	upper.Properties = props
	return upper
}

// canonical answers the name of a class for an alias.
func canonical(class string) string {
	for _, c := range session.DefaultRegistry().Classes() {
		if slices.Contains(c.Aliases, class) {
			return c.Name
		}
	}
	return class
}

// fromFlags reads --class, --url and --prop.
func (f *storeFlags) fromFlags() (session.Config, error) {
	if f.class != "" && f.url != "" {
		return session.Config{}, usagef(f.cmd, "--class and --url exclude each other: a URL names its class by its scheme")
	}
	c := session.Config{Class: f.class, Properties: make(map[string]any)}
	if f.url != "" {
		var err error
		if c, err = session.DefaultRegistry().ParseURL(f.url); err != nil {
			return c, &usageError{f.cmd, err}
		}
	}
	given := make(map[string][]string)
	for _, p := range f.props {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return c, usagef(f.cmd, "--prop takes name=value") // p may be a secret
		}
		given[name] = append(given[name], value)
	}
	for name, values := range given {
		if len(values) == 1 {
			c.Properties[name] = values[0]
		} else {
			c.Properties[name] = values
		}
	}
	return c, nil
}

// fromFile reads --config.
func (f *storeFlags) fromFile() (session.Config, error) {
	if f.file == "" {
		return session.Config{}, nil
	}
	return readConfig(f.file)
}
