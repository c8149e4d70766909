package demo

import (
	"fmt"
	"time"
)

// moment is a time as people say it.
type moment struct {
	At   time.Time // zero if it cannot be told
	Text string
}

// Exact answers the time for a title.
func (m moment) Exact() string { return m.At.UTC().Format("2 January 2006, 15:04:05 UTC") }

// ISO answers the time for a program.
func (m moment) ISO() string { return m.At.UTC().Format(time.RFC3339) }

// since says how long ago t was.
func since(now, t time.Time) moment {
	switch d := now.Sub(t); {
	case t.IsZero():
		return moment{Text: "unknown"}
	case d < 10*time.Second:
		return moment{t, "just now"}
	default:
		return moment{t, span(d) + " ago"}
	}
}

// until says how far away t is.
func until(now, t time.Time) moment {
	switch d := t.Sub(now).Round(time.Minute); {
	case t.IsZero():
		return moment{Text: "never"}
	case d < time.Minute:
		return moment{t, "in less than a minute"}
	default:
		return moment{t, "in " + span(d)}
	}
}

// span says a duration in its largest unit.
func span(d time.Duration) string {
	n, unit := int(d/time.Second), "second"
	switch {
	case d >= 48*time.Hour:
		n, unit = int(d/(24*time.Hour)), "day"
	case d >= time.Hour:
		n, unit = int(d/time.Hour), "hour"
	case d >= time.Minute:
		n, unit = int(d/time.Minute), "minute"
	}
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
