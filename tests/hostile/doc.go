// Package hostile is a crowd of clients that mean a node no good, and what
// they send: frames that never end, frames that come byte by byte, large
// answers that nobody reads, and garbage.
//
// Command crowd runs it as a process of its own, with one thread of Go, in a
// session of its own, and what it sends is prepared: on another machine its work would
// cost a node nothing, so it must not be taken for the node's. It is no test and
// measures nothing; the package of attacks and the benchmarks start it.
package hostile
