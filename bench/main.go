// Command bench measures Moldau: beside Apache Kafka under the same loads, the
// cost of acks at `sync` over many partitions, start-up and memory, and a good
// producer under attack.
//
//	make bench                               everything, in full
//	make bench ARGS="-quick"                 everything, small: does it run?
//	make bench ARGS="-only compare -scenarios lone,consume -rounds 5"
//
// docs/benchmarks.md tells how it measures. Every run is a line of JSON in
// out/bench; the table on standard output is in out/bench/*.txt, too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	o, err := parseOptions(os.Args[1:])
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop) // the second signal ends the process at once
		err = run(ctx, o)
		stop()
	}
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
