// Package linearizability turns the history of a run into a verdict.
package linearizability
