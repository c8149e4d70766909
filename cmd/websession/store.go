package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// storeFlags choose the store that a command works with.
type storeFlags struct {
	cmd   *cobra.Command
	env   environment
	class string
	props []string
	url   string
	file  string

	// origin says where what is not from the command line was chosen, for
	// people: by the name of the property, "" for the class.
	origin map[string]string
}

// register adds the flags to cmd. What they leave open env may say.
func (f *storeFlags) register(cmd *cobra.Command, env environment) {
	f.cmd, f.env = cmd, env
	fs := cmd.Flags()
	fs.StringVar(&f.class, "class", "", "`class` of the store, such as File")
	fs.StringArrayVar(&f.props, "prop", nil, "property of the store, `name=value`; a name that is repeated makes a list")
	fs.StringVar(&f.url, "url", "", "`URL` of the store, such as file:///var/lib/sessions, in place of --class")
	fs.StringVar(&f.file, "config", "", "`file` with WebSessionClass and WebSessionProperties, JSON or YAML; flags come first")
}

// door is a place where a store, or a part of its properties, is chosen.
type door struct {
	config func() (session.Config, error)
	where  func(property string) string // as storeFlags.origin
}

// config answers the store that is chosen; its class is "" if none is. All that
// is wrong with the doors is reported at once. Nothing is opened, and the
// properties are not checked: see check.
func (f *storeFlags) config() (session.Config, error) {
	for _, name := range []string{"class", "url", "config"} {
		if flag := f.cmd.Flags().Lookup(name); flag.Changed && flag.Value.String() == "" {
			return session.Config{}, usagef(f.cmd, "--%s is empty", name)
		}
	}
	// The doors, those first that win.
	doors := []door{
		{f.fromFlags, func(string) string { return "" }},
		{f.fromFile, func(string) string { return f.file }},
		{f.env.config, f.env.where},
	}
	f.origin = make(map[string]string)
	var c session.Config
	var faults []error
	for _, d := range doors {
		lower, err := d.config()
		if err != nil {
			faults = append(faults, err)
			continue
		}
		next := over(c, lower)
		if next.Class != c.Class {
			f.origin[""] = d.where("")
		}
		for name := range next.Properties {
			if _, before := c.Properties[name]; !before {
				f.origin[name] = d.where(name)
			}
		}
		c = next
	}
	if err := errors.Join(faults...); err != nil {
		return session.Config{}, err
	}
	return c, nil
}

// chosen is config for a command that needs a store.
func (f *storeFlags) chosen() (session.Config, error) {
	c, err := f.config()
	if err == nil && c.Class == "" {
		err = usagef(f.cmd, "no store is chosen: use --class, --url, --config, %s or %s", envClass, envURL)
	}
	return c, err
}

// check reports what is wrong with c, which began as the answer of config. It is
// a usageError unless it came by a file or the environment.
func (f *storeFlags) check(c session.Config) error {
	err := session.DefaultRegistry().Check(c.Class, c.Properties)
	if err == nil {
		return nil
	}
	var blamed []string
	blame := func(name string) {
		if where := f.origin[name]; where != "" && !slices.Contains(blamed, where) {
			blamed = append(blamed, where)
		}
	}
	if faulty := new(driver.PropertyError); errors.As(err, &faulty) {
		for _, fault := range faulty.Faults {
			if _, given := c.Properties[fault.Property]; given {
				blame(fault.Property)
			} else {
				blame("") // the class asks for it
			}
		}
	} else {
		blame("")
	}
	if len(blamed) == 0 {
		return &usageError{f.cmd, err}
	}
	return fmt.Errorf("%w (see %s)", err, strings.Join(blamed, ", "))
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
	if d := driverOf(class); d != nil {
		return d.Class().Name
	}
	return class
}

// driverOf answers the driver of a class, by name or alias; nil if there is
// none.
func driverOf(class string) driver.Driver {
	for _, d := range driver.Registered() {
		if c := d.Class(); c.Name == class || slices.Contains(c.Aliases, class) {
			return d
		}
	}
	return nil
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
