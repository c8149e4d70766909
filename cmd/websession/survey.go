package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/websession/websession/session"
)

// survey is what websession classes prints.
type survey struct {
	Classes []classInfo `json:"classes"`
}

// newTable answers a writer that lines up cells, which end in a tab.
func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

// write prints the survey for people. Full says why properties are ignored.
func (s survey) write(w io.Writer, full bool) error {
	t := newTable(w)
	fmt.Fprint(t, "CLASS\tALIASES\tURL\tTOUCH\tLIST\tFIND\tPURGE\tPING\n")
	for _, info := range s.Classes {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", info.Class, some(info.Aliases), some(info.urls()), info.support())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s: the store does it. %s: the core does it, with the same result.\n", session.Native, session.Emulated)
	fmt.Fprintf(w, "%s: it cannot be done. %s: the store expires sessions by itself.\n", session.Unavailable, session.NotNeeded)
	for _, info := range s.Classes {
		if info.Store == configuredStore {
			fmt.Fprintf(w, "Of class %s this is what the store that is configured says.\n", info.Class)
		}
	}
	for _, info := range s.Classes {
		if err := info.write(w, full); err != nil {
			return err
		}
	}
	return nil
}

// write prints the properties of a class.
func (info classInfo) write(w io.Writer, full bool) error {
	fmt.Fprintf(w, "\n%s\n", info.Class)
	t := newTable(w)
	fmt.Fprint(t, "  PROPERTY\tTYPE\tDEFAULT\tMEANING\n")
	none := "  (none)\n"
	var ignored []string
	for _, p := range info.Properties {
		if p.ignored() {
			ignored = append(ignored, p.Name)
			if !full {
				continue
			}
		}
		none = ""
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", p.Name, p.Type, p.byDefault(), p.Doc)
	}
	fmt.Fprint(t, none)
	if err := t.Flush(); err != nil {
		return err
	}
	if full || len(ignored) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "  Accepted and without effect: %s\n", strings.Join(ignored, ", "))
	return err
}

// support answers the columns that say what is native, or why that is unknown.
func (info classInfo) support() string {
	if info.Capabilities == nil {
		return info.Note
	}
	var cells []string
	for _, name := range []string{"touch", "list", "find", "purge", "ping"} {
		cells = append(cells, string(info.Capabilities.of(name)))
	}
	return strings.Join(cells, "\t")
}

// urls answers how the URLs of the class begin.
func (info classInfo) urls() []string {
	var begin []string
	for _, s := range info.Schemes {
		begin = append(begin, s+":")
	}
	return begin
}

// some lists words, "-" for none.
func some(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, ", ")
}
