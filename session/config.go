package session

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// Config chooses a store: what an application reads from its configuration. Its
// names are those of Request Tracker, whose administrators know them:
//
//	{"WebSessionClass": "File", "WebSessionProperties": {"Directory": "/var/lib/sessions"}}
//
// It prints without the values of its properties, which may be secret.
type Config struct {
	Class      string         `json:"WebSessionClass" yaml:"WebSessionClass"`
	Properties map[string]any `json:"WebSessionProperties,omitempty" yaml:"WebSessionProperties,omitempty"`
}

// Open opens the store of c by the drivers that are registered.
func (c Config) Open(ctx context.Context, o *Options) (*Manager, error) {
	return Open(ctx, c.Class, c.Properties, o)
}

// String names class and properties, without values.
func (c Config) String() string {
	return fmt.Sprintf("%s(%s)", c.Class, strings.Join(slices.Sorted(maps.Keys(c.Properties)), ", "))
}

// Format prints String, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// LogValue answers String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }
