//go:build !race

package sessionhttp_test

const raceEnabled = false
