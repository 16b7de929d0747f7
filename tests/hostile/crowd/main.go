// Command crowd attacks the node at the address that it is given, until its
// standard input ends. It prints a line when the attack has begun.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/moldau/moldau/tests/hostile"
)

// nice is the crowd's priority, as the command nice has it: its work is that
// of other machines, and must not take this one from the node.
const nice = 5

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("want the address of a node")
	}
	runtime.GOMAXPROCS(1)
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, nice); err != nil {
		return fmt.Errorf("set the priority: %w", err)
	}
	return hostile.Serve(args[0], os.Stdin, os.Stdout)
}
