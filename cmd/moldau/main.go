// Command moldau is the one binary: it starts a node, and it is the client of
// any cluster that speaks Kafka's protocol.
//
// This package parses flags, builds the real edges (sockets, files, clock) and
// runs. What it is NOT: it holds nothing of what a broker decides.
//
// Exit status: 0 done, 1 failed (one line on stderr says why), 2 wrong usage.
package main

import (
	"fmt"
	"io"
	"os"
)

// Exit statuses.
const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}

// run is main with its surroundings as arguments.
func run(args []string, in io.Reader, out, errs io.Writer, getenv func(string) string) int {
	a := &app{in: in, out: out, errs: errs, getenv: getenv}
	root := a.rootCommand()
	root.SetArgs(args)
	err := root.Execute()
	switch {
	case err == nil:
		return exitOK
	case a.started:
		fmt.Fprintf(errs, "moldau: %s\n", oneLine(err))
		return exitFail
	}
	fmt.Fprintf(errs, "moldau: %s\nTry 'moldau --help'.\n", oneLine(err))
	return exitUsage
}
