package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/websession/websession/session"
)

// The environment variables that choose a store. Others that begin with
// WEBSESSION_ are not ours to judge: Kubernetes makes some for a service of that
// name.
const (
	envClass    = "WEBSESSION_CLASS"
	envURL      = "WEBSESSION_URL"
	envProperty = "WEBSESSION_PROP_" // and the name of the property, case as written
)

// environment is the environment of a process, as os.Environ answers it.
type environment []string

// lookup answers the value of a variable.
func (e environment) lookup(name string) (string, bool) {
	for _, entry := range e {
		if n, value, _ := strings.Cut(entry, "="); n == name {
			return value, true
		}
	}
	return "", false
}

// config answers the store that the environment chooses. A class or URL that is
// set and empty counts as not set.
func (e environment) config() (session.Config, error) {
	c := session.Config{Properties: make(map[string]any)}
	c.Class, _ = e.lookup(envClass)
	var faults []error
	switch rawURL, _ := e.lookup(envURL); {
	case rawURL == "":
	case c.Class != "":
		faults = append(faults, errors.New(envClass+" and "+envURL+" exclude each other: a URL names its class by its scheme"))
	default:
		parsed, err := session.DefaultRegistry().ParseURL(rawURL)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", envURL, err))
			break
		}
		c = parsed
	}
	for _, entry := range e {
		variable, value, _ := strings.Cut(entry, "=")
		switch name, ours := strings.CutPrefix(variable, envProperty); {
		case !ours:
		case name == "":
			faults = append(faults, errors.New(envProperty+" names no property"))
		default:
			c.Properties[name] = value
		}
	}
	return c, errors.Join(faults...)
}

// where answers the variable that gives a property, or, for "", the class.
func (e environment) where(property string) string {
	variable := envProperty + property
	if property == "" {
		variable = envClass
	}
	if value, set := e.lookup(variable); set && (property != "" || value != "") {
		return variable
	}
	return envURL
}
