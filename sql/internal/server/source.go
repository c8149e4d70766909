package server

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// shape is how a data source name looks.
func (k Kind) shape() string { return "dbi:" + k.Perl[0] + ":dbname=NAME;host=HOST" }

// parse answers the properties in a data source name of Perl's DBI. Errors quote
// nothing of it, since people write passwords into it.
func (k Kind) parse(source string) (map[string]string, error) {
	scheme, rest, _ := strings.Cut(source, ":")
	class, rest, found := strings.Cut(rest, ":")
	if !found || !strings.EqualFold(scheme, "dbi") || !slices.Contains(k.Perl, class) {
		return nil, errors.New("must look like " + k.shape())
	}
	props := make(map[string]string)
	if !strings.Contains(rest, "=") { // dbi:mysql:NAME
		props["database"] = rest
		rest = ""
	}
	for attribute := range strings.SplitSeq(rest, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(attribute), "=")
		if name == "" {
			continue
		}
		property := k.Source[name]
		switch {
		case property == "":
			known := strings.Join(slices.Sorted(maps.Keys(k.Source)), ", ")
			return nil, fmt.Errorf("has an attribute that is unknown here: known are %s", known)
		case props[property] != "":
			return nil, fmt.Errorf("gives the %s twice", property)
		}
		props[property] = value
	}
	if props["database"] == "" {
		return nil, errors.New("names no database: it must look like " + k.shape())
	}
	return props, nil
}

// ParseURL answers the properties in a URL: postgres://user:password@host:port/database.
func (k Kind) ParseURL(u *url.URL) (map[string]any, error) {
	shape := "it should look like " + k.Scheme + "://user:password@host:port/database"
	switch {
	case u.Opaque != "" || u.Fragment != "":
		return nil, errors.New(shape)
	case strings.Contains(strings.TrimPrefix(u.Path, "/"), "/"):
		return nil, errors.New("its path is the name of the database: " + shape)
	}
	props := make(map[string]any)
	if host := u.Hostname(); host != "" {
		props["host"] = host
	}
	if port := u.Port(); port != "" {
		props["port"] = port
	}
	if database := strings.TrimPrefix(u.Path, "/"); database != "" {
		props["database"] = database
	}
	if u.User != nil {
		if name := u.User.Username(); name != "" {
			props["username"] = name
		}
		if password, ok := u.User.Password(); ok {
			props["password"] = password
		}
	}
	return props, nil
}
