package driver

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Decoder reads the properties of a store, strictly: it remembers what was
// asked for and collects every fault, so that people see all of them at once.
// Names are case-sensitive. A property whose value is nil counts as not given.
//
// Each method asks for one property and answers its value, or the default when
// it is not given or faulty. The doc string is a short phrase for people; the
// list of properties in the documents is made of it.
//
// A Decoder is not safe for concurrent use.
type Decoder struct {
	class  string
	props  map[string]any
	asked  []Property
	faults []Fault
}

// Property is what a driver asked a Decoder for.
type Property struct {
	Name    string
	Type    string // "string", "secret", "integer", "boolean", "duration", "list", "ignored"; choices are joined by "|"
	Default string // "" where there is none
	Doc     string
}

// Fault is one thing that is wrong with the properties of a store.
type Fault struct {
	Property string // "" where no single property is at fault
	Problem  string // a phrase that follows the name; no secret in it
}

// PropertyError is the error of a Decoder: all faults at once.
type PropertyError struct {
	Class  string
	Faults []Fault
}

func (e *PropertyError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "class %s: ", e.Class)
	for i, f := range e.Faults {
		if i > 0 {
			b.WriteString("; ")
		}
		if f.Property != "" {
			fmt.Fprintf(&b, "property %s ", quote(f.Property))
		}
		b.WriteString(f.Problem)
	}
	return b.String()
}

// NewDecoder answers a Decoder of props for a class. It does not change props.
func NewDecoder(class string, props map[string]any) *Decoder {
	return &Decoder{class: class, props: props}
}

// String asks for a text. A number is taken as its digits.
func (d *Decoder) String(name, def, doc string) string {
	v, ok := d.ask(Property{name, "string", def, doc})
	if !ok {
		return def
	}
	s, ok := text(v)
	if !ok {
		d.Fail(name, "must be a text")
		return def
	}
	return s
}

// Required asks for a text that must be given and not be empty.
func (d *Decoder) Required(name, doc string) string {
	v, given := d.ask(Property{name, "string", "", doc})
	s, ok := text(v)
	switch {
	case !given || ok && s == "":
		d.Fail(name, "is missing: "+doc)
	case !ok:
		d.Fail(name, "must be a text")
	}
	return s
}

// Secret asks for a text that is never printed.
func (d *Decoder) Secret(name, doc string) string {
	v, ok := d.ask(Property{name, "secret", "", doc})
	if !ok {
		return ""
	}
	s, ok := text(v)
	if !ok {
		d.Fail(name, "must be a text")
	}
	return s
}

// Int asks for a whole number from least to most.
func (d *Decoder) Int(name string, def, least, most int, doc string) int {
	v, ok := d.ask(Property{name, "integer", strconv.Itoa(def), doc})
	if !ok {
		return def
	}
	n, ok := integer(v)
	if !ok || n < int64(least) || n > int64(most) {
		d.Fail(name, fmt.Sprintf("is %s: it must be a whole number from %d to %d", show(v), least, most))
		return def
	}
	return int(n)
}

// Bool asks for true or false; 1 and 0 mean the same.
func (d *Decoder) Bool(name string, def bool, doc string) bool {
	v, ok := d.ask(Property{name, "boolean", strconv.FormatBool(def), doc})
	if !ok {
		return def
	}
	if b, ok := v.(bool); ok {
		return b
	}
	switch s, _ := text(v); s {
	case "1", "true":
		return true
	case "0", "false":
		return false
	}
	d.Fail(name, "is "+show(v)+": it must be true or false")
	return def
}

// Duration asks for a time span: a number of seconds, which may have a
// fraction ("0.1"), or a Go duration ("100ms"). It is never negative; what 0
// means is for the driver to say.
func (d *Decoder) Duration(name string, def time.Duration, doc string) time.Duration {
	v, ok := d.ask(Property{name, "duration", def.String(), doc})
	if !ok {
		return def
	}
	t, ok := duration(v)
	if !ok {
		d.Fail(name, "is "+show(v)+`: it must be a number of seconds ("0.1") or a duration ("100ms"), not negative`)
		return def
	}
	return t
}

// List asks for a list of texts. One text is split at commas and white space.
func (d *Decoder) List(name string, doc string) []string {
	v, ok := d.ask(Property{name, "list", "", doc})
	if !ok {
		return nil
	}
	if s, ok := text(v); ok {
		return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Slice {
		list := make([]string, rv.Len())
		for i := range list {
			s, ok := text(rv.Index(i).Interface())
			if !ok {
				d.Fail(name, "must be a list of texts")
				return nil
			}
			list[i] = s
		}
		return list
	}
	d.Fail(name, "must be a list of texts")
	return nil
}

// OneOf asks for one of the choices.
func (d *Decoder) OneOf(name, def string, choices []string, doc string) string {
	v, ok := d.ask(Property{name, strings.Join(choices, "|"), def, doc})
	if !ok {
		return def
	}
	s, ok := text(v)
	if !ok || !slices.Contains(choices, s) {
		d.Fail(name, fmt.Sprintf("is %s: it must be one of %s", show(v), strings.Join(choices, ", ")))
		return def
	}
	return s
}

// Ignore accepts properties that mean something to another program and nothing
// here. The doc string says why.
func (d *Decoder) Ignore(doc string, names ...string) {
	for _, n := range names {
		d.ask(Property{n, "ignored", "", doc})
	}
}

// Has reports whether a property is given, without asking for it.
func (d *Decoder) Has(name string) bool { return d.props[name] != nil }

// Fail reports a fault of a property. The problem is a phrase that follows its
// name, such as "and sock exclude each other", with no secret in it.
func (d *Decoder) Fail(name, problem string) {
	d.faults = append(d.faults, Fault{name, problem})
}

// Asked answers the properties that were asked for, in that order.
func (d *Decoder) Asked() []Property { return slices.Clone(d.asked) }

// Unknown answers the faults of properties that are given and were not asked
// for, sorted by name.
func (d *Decoder) Unknown() []Fault {
	var faults []Fault
	for _, name := range slices.Sorted(maps.Keys(d.props)) {
		if slices.ContainsFunc(d.asked, func(p Property) bool { return p.Name == name }) {
			continue
		}
		problem := "is unknown"
		if near := d.nearest(name); near != "" {
			problem += ": did you mean " + quote(near) + "?"
		} else if len(d.asked) == 0 {
			problem += ": this class has none"
		} else {
			problem += ": known are " + strings.Join(d.names(), ", ")
		}
		faults = append(faults, Fault{name, problem})
	}
	return faults
}

// Faults answers what the methods above and Fail reported so far, without
// Unknown.
func (d *Decoder) Faults() []Fault { return slices.Clone(d.faults) }

// Err answers all faults as a *PropertyError, those of Unknown included, or
// nil.
func (d *Decoder) Err() error {
	faults := append(d.Faults(), d.Unknown()...)
	if len(faults) == 0 {
		return nil
	}
	return &PropertyError{d.class, faults}
}

func (d *Decoder) ask(p Property) (v any, given bool) {
	if !slices.ContainsFunc(d.asked, func(q Property) bool { return q.Name == p.Name }) {
		d.asked = append(d.asked, p)
	}
	v = d.props[p.Name]
	return v, v != nil
}

func (d *Decoder) names() []string {
	names := make([]string, 0, len(d.asked))
	for _, p := range d.asked {
		if p.Type != "ignored" {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}

// nearest answers the known name that a person who typed name may have meant.
func (d *Decoder) nearest(name string) string {
	if len(name) > 64 {
		return ""
	}
	best, least := "", max(2, len(name)/3)+1
	for _, n := range d.names() {
		if strings.EqualFold(n, name) {
			return n
		}
		if dist := distance(strings.ToLower(n), strings.ToLower(name)); dist < least {
			best, least = n, dist
		}
	}
	return best
}

// distance is the Levenshtein distance of two short texts.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func text(v any) (string, bool) {
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.String: // json.Number too
		return rv.String(), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(rv.Int(), 10), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(rv.Uint(), 10), true
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(rv.Float(), 'f', -1, 64), true
	}
	return "", false
}

func integer(v any) (int64, bool) {
	s, ok := text(v)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return n, err == nil
}

func duration(v any) (time.Duration, bool) {
	if t, ok := v.(time.Duration); ok {
		return t, t >= 0
	}
	s, ok := text(v)
	if !ok {
		return 0, false
	}
	s = strings.TrimSpace(s)
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		const most = float64(math.MaxInt64 / int64(time.Second))
		if !(f >= 0 && f < most) { // NaN and Inf too
			return 0, false
		}
		return time.Duration(math.Round(f * float64(time.Second))), true
	}
	t, err := time.ParseDuration(s)
	return t, err == nil && t >= 0
}

// show quotes a value for people, at a length that they can read.
func show(v any) string {
	if s, ok := text(v); ok {
		return quote(s)
	}
	return fmt.Sprintf("a %T", v)
}

func quote(s string) string {
	if len(s) > 40 {
		s = s[:40] + "..."
	}
	return strconv.Quote(s)
}
