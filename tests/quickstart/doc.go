// Package quickstart holds README.md to its word: it starts the node by `make
// run`, runs every line of the quick start as it stands there, compares what
// the lines say is printed, and ends the node as Ctrl-C does. Only the
// addresses are others, since a test has no port of its own.
package quickstart
