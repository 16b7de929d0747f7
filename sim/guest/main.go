// Command guest is one run of the simulator: all nodes, clients and faults in
// one process, which an engine builds so that everything in it follows from the
// seed. It reads its parameters from the environment and takes no arguments.
//
//	SIM_SEED SIM_SCENARIO SIM_DURATION_MS SIM_EVENTS_MAX SIM_READS_MAX SIM_OPTIONS
//
// Standard output is JSON lines: history, trace, and a last line "done". Exit
// status: 0, the run is complete; 3, it is broken, with the reason on standard
// error; 2, the runtime ended it (a panic, a deadlock).
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/moldau/moldau/sim/scenario"
)

// exitBroken is the exit status of a run that says nothing.
const exitBroken = 3

// outBytes is the buffer of standard output.
const outBytes = 256 << 10

func main() {
	options, err := parse(os.Getenv)
	if err != nil {
		abort(err.Error())
	}
	out := bufio.NewWriterSize(os.Stdout, outBytes)
	options.Out = out
	options.Abort = func(reason string) {
		_ = out.Flush() // what there is helps to see why
		abort(reason)
	}
	done, err := scenario.Run(options)
	line, jsonErr := json.Marshal(map[string]scenario.Done{"done": done})
	if err == nil && jsonErr == nil {
		_, err = out.Write(append(line, '\n'))
	}
	if flushErr := out.Flush(); err == nil {
		err = flushErr
	}
	if err != nil {
		abort(err.Error())
	}
}

// abort ends the process as broken.
func abort(reason string) {
	fmt.Fprintln(os.Stderr, reason)
	os.Exit(exitBroken)
}
