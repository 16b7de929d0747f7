package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/moldau/moldau/internal/guard"
	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/sim/scenario"
)

// parse reads the parameters. Errors name what is valid.
func parse(getenv func(string) string) (o scenario.Options, err error) {
	number := func(name string, bits int) uint64 {
		text := strings.TrimSpace(getenv(name))
		n, convErr := strconv.ParseUint(text, 10, bits)
		if convErr != nil && err == nil {
			err = fmt.Errorf("%s=%q: a decimal number of at most %d bits is wanted", name, text, bits)
		}
		return n
	}
	o.Seed = number("SIM_SEED", 64)
	o.Duration = time.Duration(number("SIM_DURATION_MS", 40)) * time.Millisecond
	o.EventsMax = int64(number("SIM_EVENTS_MAX", 63))
	o.ReadsMax = int64(number("SIM_READS_MAX", 63))
	if err != nil {
		return o, err
	}
	o.Timebase = simcore.ProcessTime{}
	if o.Scenario, err = scenario.Find(strings.TrimSpace(getenv("SIM_SCENARIO"))); err != nil {
		return o, err
	}
	changes, err := scenario.ParseOptions(getenv("SIM_OPTIONS"))
	if err == nil && changes.Without != 0 && !guard.Switches {
		err = errors.New("no rule can be taken out of a guest that is built without the tag explore")
	}
	o.Faults, o.Without = changes.Faults, changes.Without
	return o, err
}
