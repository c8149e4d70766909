package demo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestMoments(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for ago, want := range map[time.Duration]string{
		-time.Minute:                   "just now", // another server's clock
		0:                              "just now",
		9 * time.Second:                "just now",
		10 * time.Second:               "10 seconds ago",
		time.Minute:                    "1 minute ago",
		2*time.Minute + 59*time.Second: "2 minutes ago",
		time.Hour:                      "1 hour ago",
		47 * time.Hour:                 "47 hours ago",
		2 * day:                        "2 days ago",
		100*day + 23*time.Hour:         "100 days ago",
	} {
		assert.Equal(t, want, since(now, now.Add(-ago)).Text)
	}
	assert.Equal(t, "unknown", since(now, time.Time{}).Text)
	for left, want := range map[time.Duration]string{
		8*time.Hour - time.Millisecond: "in 8 hours",
		7*day - time.Second:            "in 7 days",
		90 * time.Second:               "in 2 minutes",
		time.Second:                    "in less than a minute",
	} {
		assert.Equal(t, want, until(now, now.Add(left)).Text)
	}
	assert.Equal(t, "never", until(now, time.Time{}).Text)
	m := since(now, now.Add(-time.Hour))
	assert.Equal(t, "23 November 2026, 11:00:00 UTC", m.Exact())
	assert.Equal(t, "2026-11-23T11:00:00Z", m.ISO())
}
