package engine

import (
	"fmt"
	"time"
)

// Ending says what ended a run.
type Ending int

// Endings.
const (
	Exited     Ending = iota // the guest, with a status of its own
	OverTime                 // its limit of real time, or of CPU time
	OverMemory               // its limit of memory
	OverOutput               // its limit of output
)

func (e Ending) String() string {
	switch e {
	case Exited:
		return "exited"
	case OverTime:
		return "over its limit of time"
	case OverMemory:
		return "over its limit of memory"
	case OverOutput:
		return "over its limit of output"
	default:
		return fmt.Sprintf("Ending(%d)", int(e))
	}
}

// Result is what came of one run.
type Result struct {
	Ending Ending
	Exit   int    // exit status; 0 complete, 2 panic or deadlock, 3 broken by its own word, -1 killed
	Stdout string // the file with its output
	Stderr string // its first and last bytes: reasons and stacks
	Wall   time.Duration
	CPU    time.Duration // of the process, the engine's start included
	RSSMax int64         // peak memory of the process in bytes
}

// Broken returns why the run is worth nothing, "" if it is complete.
func (r *Result) Broken() string {
	if r.Ending != Exited {
		return fmt.Sprintf("the guest went %v after %v", r.Ending, r.Wall.Round(time.Millisecond))
	}
	switch r.Exit {
	case 0:
		return ""
	case 2:
		return "the guest panicked or all its goroutines slept for ever (exit status 2)"
	case 3:
		return "the guest gave itself up (exit status 3)"
	default:
		return fmt.Sprintf("the guest ended with exit status %d", r.Exit)
	}
}
