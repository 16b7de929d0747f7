package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// Exit statuses.
const (
	exitOK        = 0
	exitViolation = 1
	exitBroken    = 2
)

// commands by name.
var commands = map[string]func(ctx context.Context, o *options, out io.Writer) (int, error){
	"run":         runSeeds,
	"ci":          runCI,
	"corpus":      runCorpus,
	"determinism": runDeterminism,
	"hunt":        runHunt,
	"coverage":    runCoverage,
	"plants":      runPlants,
	"explore":     runExplore,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(host(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// host carries out one command and returns the exit status.
func host(ctx context.Context, args []string, out, errs io.Writer) int {
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprintf(errs, "sim: a command is wanted: %s\n", strings.Join(commandNames(), ", "))
		return exitBroken
	}
	o, err := parseOptions(args[1:], errs)
	if err != nil {
		fmt.Fprintf(errs, "sim %s: %v\n", args[0], err)
		return exitBroken
	}
	status, err := commands[args[0]](ctx, o, out)
	if err != nil {
		fmt.Fprintf(errs, "sim %s: %v\n", args[0], err)
		return max(status, exitBroken)
	}
	return status
}

func commandNames() []string {
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
