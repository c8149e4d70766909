package main

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/websession/websession/session/driver"
)

// classInfo is what websession tells about a class.
type classInfo struct {
	Class        string     `json:"class"`
	Aliases      []string   `json:"aliases"`
	Schemes      []string   `json:"schemes"`
	Package      string     `json:"package"`    // to import
	Properties   []property `json:"properties"` // in the order that the driver asks for them
	Capabilities abilities  `json:"capabilities"`
	Store        string     `json:"store"` // that has the capabilities: configuredStore, temporaryStore, or ""
	Note         string     `json:"note"`  // why there is none
}

// Values of classInfo.Store.
const (
	configuredStore = "configured"
	temporaryStore  = "temporary"
)

// property is what a driver asks for.
type property struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // as in driver.Property
	Default  string `json:"default"`
	Required bool   `json:"required"`
	Doc      string `json:"doc"`
}

// ignored reports whether the property is accepted and has no effect.
func (p property) ignored() bool { return p.Type == "ignored" }

// byDefault answers what holds if the property is not given, for tables.
func (p property) byDefault() string {
	switch {
	case p.Required:
		return "required"
	case p.Default == "":
		return "-"
	}
	return p.Default
}

// describe answers what a driver says about its class, without opening
// anything.
func describe(d driver.Driver) classInfo {
	c := d.Class()
	info := classInfo{
		Class:      c.Name,
		Aliases:    append([]string{}, c.Aliases...),
		Schemes:    append([]string{}, c.Schemes...),
		Package:    packageOf(d),
		Properties: []property{},
	}
	dec := driver.NewDecoder(c.Name, nil)
	d.Configure(dec) // what it complains about is what is missing
	required := make(map[string]bool)
	for _, f := range dec.Faults() {
		required[f.Property] = required[f.Property] || isMissing(f)
	}
	for _, p := range dec.Asked() {
		info.Properties = append(info.Properties, property{p.Name, p.Type, p.Default, required[p.Name], p.Doc})
	}
	return info
}

// describeAll answers all classes, sorted by name.
func describeAll() []classInfo {
	var infos []classInfo
	for _, d := range driver.Registered() {
		infos = append(infos, describe(d))
	}
	slices.SortFunc(infos, func(a, b classInfo) int { return strings.Compare(a.Class, b.Class) })
	return infos
}

// packageOf answers the import path of a driver.
func packageOf(d driver.Driver) string {
	t := reflect.TypeOf(d)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath()
}

// isMissing reports whether a fault is that a property is not given, as
// driver.Decoder.Required says it.
func isMissing(f driver.Fault) bool {
	return f.Property != "" && strings.HasPrefix(f.Problem, "is missing")
}

// lacksOnly reports whether an error says nothing but that properties are not
// given.
func lacksOnly(err error) bool {
	var faulty *driver.PropertyError
	return errors.As(err, &faulty) &&
		!slices.ContainsFunc(faulty.Faults, func(f driver.Fault) bool { return !isMissing(f) })
}
