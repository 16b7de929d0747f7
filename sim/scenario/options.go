package scenario

import (
	"fmt"
	"strings"

	"github.com/moldau/moldau/sim/fault"
)

// ParseOptions reads what a run is told beside seed, scenario and duration:
// key=value pairs between spaces. There is one key, faults, a list of changes
// to the swarm (see Options.Faults). An error names what is valid.
func ParseOptions(text string) (faults []string, err error) {
	for _, pair := range strings.Fields(text) {
		key, value, _ := strings.Cut(pair, "=")
		if key != "faults" {
			return nil, fmt.Errorf("options: no key %q; there is faults=none,name,name:2s,-name", key)
		}
		faults = strings.Split(value, ",")
		if _, err := changed(fault.Swarm{}, faults); err != nil {
			return nil, fmt.Errorf("options: %w", err)
		}
	}
	return faults, nil
}
