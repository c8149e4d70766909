// Package workload counts the promises that hold on every store: overlapping
// requests of two servers, logouts during slow requests, increments from all
// sides. Only _test.go files import it.
//
// # Promises
//
//   - Each workload fails its test at the first promise that is broken, and else
//     logs a figure: how often it was tried, and below which rate a failure lies
//     with 95 % confidence.
//   - Counts are those of the issues with WEBSESSION_FULL=1, and a twentieth of
//     them otherwise.
//
// # What is not promised
//
//   - Anything about servers that die. Tests that kill them have workloads of
//     their own.
package workload
