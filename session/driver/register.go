package driver

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

var registered struct {
	sync.Mutex
	drivers []Driver
}

// Register makes a driver known to session.Open by its class name, aliases and
// URL schemes. It is meant for init functions, and panics if d is nil, if its
// class is malformed, or if a name or scheme of it is taken.
func Register(d Driver) {
	registered.Lock()
	defer registered.Unlock()
	if err := CheckNew(registered.drivers, d); err != nil {
		panic("driver.Register: " + err.Error())
	}
	registered.drivers = append(registered.drivers, d)
}

// Registered answers the drivers that Register was called with, in that order.
func Registered() []Driver {
	registered.Lock()
	defer registered.Unlock()
	return slices.Clone(registered.drivers)
}

var (
	classPattern  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*(::[A-Za-z][A-Za-z0-9_]*)*$`)
	schemePattern = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
)

// CheckNew reports why d cannot be added to drivers.
func CheckNew(drivers []Driver, d Driver) error {
	if d == nil {
		return fmt.Errorf("driver is nil")
	}
	c := d.Class()
	names := append([]string{c.Name}, c.Aliases...)
	for _, n := range names {
		if !classPattern.MatchString(n) {
			return fmt.Errorf("%T has the malformed class name %q", d, n)
		}
	}
	for _, s := range c.Schemes {
		if !schemePattern.MatchString(s) {
			return fmt.Errorf("%T has the malformed URL scheme %q", d, s)
		}
	}
	for _, other := range drivers {
		o := other.Class()
		for _, n := range append([]string{o.Name}, o.Aliases...) {
			if slices.ContainsFunc(names, func(m string) bool { return strings.EqualFold(m, n) }) {
				return fmt.Errorf("class %q of %T is taken by %T", n, d, other)
			}
		}
		for _, s := range o.Schemes {
			if slices.Contains(c.Schemes, s) {
				return fmt.Errorf("URL scheme %q of %T is taken by %T", s, d, other)
			}
		}
	}
	return nil
}
