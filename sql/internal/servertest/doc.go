// Package servertest holds the tests that stores of SQL servers have in common.
// Only _test.go files import it.
package servertest
