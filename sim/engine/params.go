package engine

import (
	"fmt"
	"strings"
	"time"
)

// Widths of the variables that a guest gets, in bytes. They are fixed so that
// the layout of its memory does not depend on what they say.
const (
	seedWidth     = 20
	scenarioWidth = 32
	durationWidth = 10
	budgetWidth   = 12
	optionsWidth  = 128
)

// Params are what one run is told and what it may use up.
type Params struct {
	Seed     uint64
	Scenario string        // at most 32 bytes
	Duration time.Duration // virtual time of the faulty part, in whole milliseconds
	Events   uint64        // budget of trace events, 0 for none; 12 digits at most
	Reads    uint64        // budget of clock reads, 0 for none; 12 digits at most
	Options  string        // space-separated key=value pairs, 128 bytes at most

	Stdout    string        // file that the guest's output goes to, made anew
	StdoutMax int64         // bytes that the file may have; 0 for StdoutMaxDefault
	WallLimit time.Duration // real time that the run may take; 0 for WallLimitDefault
	CPULimit  time.Duration // CPU time, in whole seconds; 0 for CPULimitDefault
	Memory    int64         // bytes of memory that the guest may have; 0 for MemoryDefault
	CoverDir  string        // folder for coverage data, for a guest built with Cover
}

// Bounds of a run that says nothing else. That of real time is for a guest that
// hangs: one that shares its processors with others must not be taken for one.
const (
	WallLimitDefault = 10 * time.Minute
	CPULimitDefault  = 100 * time.Second
	MemoryDefault    = 2 << 30 // bytes
	StdoutMaxDefault = 1 << 30 // bytes
)

// environment returns the guest's variables, always all of them, in one order.
func (p *Params) environment() ([]string, error) {
	pad := func(what, s string, width int) (string, error) {
		if len(s) > width {
			return "", fmt.Errorf("%s %q: %d bytes are more than %d", what, s, len(s), width)
		}
		if strings.ContainsAny(s, "\x00\n") {
			return "", fmt.Errorf("%s %q: must be one line of text", what, s)
		}
		return s + strings.Repeat(" ", width-len(s)), nil
	}
	number := func(what string, n uint64, width int) (string, error) {
		s := fmt.Sprintf("%0*d", width, n)
		if len(s) > width {
			return "", fmt.Errorf("%s %d: more than %d digits", what, n, width)
		}
		return s, nil
	}
	if p.Duration < 0 {
		return nil, fmt.Errorf("duration %v: must not be negative", p.Duration)
	}
	duration, err := number("duration in ms", uint64(p.Duration.Milliseconds()), durationWidth)
	if err != nil {
		return nil, err
	}
	events, err := number("budget of events", p.Events, budgetWidth)
	if err != nil {
		return nil, err
	}
	reads, err := number("budget of clock reads", p.Reads, budgetWidth)
	if err != nil {
		return nil, err
	}
	scenario, err := pad("scenario", p.Scenario, scenarioWidth)
	if err != nil {
		return nil, err
	}
	options, err := pad("options", p.Options, optionsWidth)
	if err != nil {
		return nil, err
	}
	env := []string{
		fmt.Sprintf("SIM_SEED=%0*d", seedWidth, p.Seed),
		"SIM_SCENARIO=" + scenario,
		"SIM_DURATION_MS=" + duration,
		"SIM_EVENTS_MAX=" + events,
		"SIM_READS_MAX=" + reads,
		"SIM_OPTIONS=" + options,
		"GOTRACEBACK=all",
		"GODEBUG=",
	}
	if p.CoverDir != "" {
		env = append(env, "GOCOVERDIR=.")
	}
	return env, nil
}
