// Package benchpeers measures websession against other session libraries: whole
// requests through their middleware, without a network. It has benchmarks only;
// README.md says how to run them and what they compare.
package benchpeers
