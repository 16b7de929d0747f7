// Package hostile measures what a good producer feels while a crowd of
// strangers attacks the node that it writes to: the time of its lone records under
// attack beside that without, in alternation on one node, and the node's memory.
//
// The crowd is the program of the tests, tests/hostile/crowd, in a process of
// its own; its processor time is not counted as the node's, nor as others'.
package hostile
