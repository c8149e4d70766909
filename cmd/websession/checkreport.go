package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// checkReport is what websession check prints.
type checkReport struct {
	Class        string            `json:"class"`
	OK           bool              `json:"ok"`
	Server       string            `json:"server"`
	Facts        map[string]string `json:"facts"`
	Guarantee    string            `json:"guarantee"`
	Warnings     []string          `json:"warnings"`
	Capabilities abilities         `json:"capabilities"`
	Operations   []checkResult     `json:"operations"`
}

// checkResult is what came of one operation.
type checkResult struct {
	Name         string  `json:"name"`
	Result       string  `json:"result"`
	Milliseconds float64 `json:"ms"` // 0 if it was not done
	Remark       string  `json:"remark"`
}

// Values of checkResult.Result. Failed and skipped make the store a bad one.
const (
	resultOK          = "ok"
	resultFailed      = "failed"
	resultSkipped     = "skipped"     // because of something that failed before
	resultUnavailable = "unavailable" // to applications too
	resultNotNeeded   = "not needed"
)

// with counts the operations that ended in a way.
func (r *checkReport) with(result string) int {
	n := 0
	for _, o := range r.Operations {
		if o.Result == result {
			n++
		}
	}
	return n
}

// failures says what did not go well.
func (r *checkReport) failures() string {
	text := fmt.Sprintf("%d of %d operations failed", r.with(resultFailed), len(r.Operations))
	if n := r.with(resultSkipped); n > 0 {
		text += fmt.Sprintf(", %d skipped", n)
	}
	return text
}

// write prints the report for people.
func (r *checkReport) write(w io.Writer) error {
	t := newTable(w)
	fact := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	fact("class", r.Class)
	fact("server", r.Server)
	for _, name := range slices.Sorted(maps.Keys(r.Facts)) {
		fact(name, r.Facts[name])
	}
	fact("guarantee", r.Guarantee)
	for _, s := range supports {
		fact(string(s), r.Capabilities.with(s))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = newTable(w)
	fmt.Fprintf(t, "OPERATION\t%12s\tRESULT\n", "TIME")
	for _, o := range r.Operations {
		fmt.Fprintf(t, "%s\t%s\t%s\n", o.Name, o.time(), o.outcome())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, warning := range r.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	verdict := "The store works."
	if !r.OK {
		verdict = "The store does not work."
	}
	_, err := fmt.Fprintln(w, verdict)
	return err
}

func (o checkResult) time() string {
	if o.Milliseconds == 0 {
		return strings.Repeat(" ", 11) + "-"
	}
	return fmt.Sprintf("%9.3f ms", o.Milliseconds)
}

func (o checkResult) outcome() string {
	text := o.Result
	if text == resultFailed {
		text = strings.ToUpper(text)
	}
	if o.Remark == "" {
		return text
	}
	return text + ": " + o.Remark
}
