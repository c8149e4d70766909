// Package server holds what the stores of servers that speak SQL have in common:
// their properties, in this project's names and in those of Perl's DBI, their
// URLs and their pools.
package server
