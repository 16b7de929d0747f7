package scenario

import (
	"fmt"
	"strings"

	"github.com/moldau/moldau/internal/guard"
	"github.com/moldau/moldau/sim/fault"
)

// Changes are what a run is told beside seed, scenario and duration.
type Changes struct {
	Faults  []string  // see Options.Faults
	Without guard.Set // see Options.Without
}

// ParseOptions reads changes: key=value pairs between spaces. The keys are faults
// and without, lists of changes to the swarm and of rules of the replication
// contract. An error names what is valid.
func ParseOptions(text string) (c Changes, err error) {
	for _, pair := range strings.Fields(text) {
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "faults":
			c.Faults = strings.Split(value, ",")
			_, err = changed(fault.Swarm{}, c.Faults)
		case "without":
			c.Without, err = guard.Parse(value)
		default:
			err = fmt.Errorf("no key %q; there are faults=none,name,name:2s,-name and without=rule,rule", key)
		}
		if err != nil {
			return c, fmt.Errorf("options: %w", err)
		}
	}
	return c, nil
}
