package fault

import "slices"

// All are the named faults, in a fixed order.
func All() []Fault {
	return slices.Concat(processFaults(), networkFaults(), diskFaults(), clockFaults())
}
