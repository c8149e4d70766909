//go:build race

package sessionhttp_test

// raceEnabled: the race detector allocates.
const raceEnabled = true
