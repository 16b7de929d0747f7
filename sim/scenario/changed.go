package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/moldau/moldau/sim/fault"
)

// changed applies the options to the swarm that was drawn: "none" leaves all
// out, "-name" leaves one out, "name" adds one, "name:2s" with that mean time
// between its strikes.
func changed(s fault.Swarm, options []string) (fault.Swarm, error) {
	for _, o := range options {
		name, every, timed := strings.Cut(o, ":")
		if o == "none" {
			s = fault.Swarm{}
			continue
		}
		out := strings.HasPrefix(name, "-")
		found, err := fault.Find(strings.TrimPrefix(name, "-"))
		if err != nil {
			return s, err
		}
		if timed {
			if found[0].Every, err = time.ParseDuration(every); err != nil || found[0].Every <= 0 {
				return s, fmt.Errorf("fault %s: %q is no time between strikes, as 2s is", name, every)
			}
		}
		s = s.Without(found[0].Name)
		if !out {
			s = s.With(found...)
		}
	}
	return s, nil
}
