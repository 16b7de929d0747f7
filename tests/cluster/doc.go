// Package cluster has tests of three real processes that are one cluster: they
// are killed, stopped and made to hang under load, and what clients saw goes as
// a history through the simulator's checkers.
package cluster
