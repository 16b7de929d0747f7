//go:build moldau_sim

package schedule

import _ "unsafe" // for go:linkname

// Set chooses the policy from here on, and reports whether the runtime has
// any.
func Set(p Policy) bool {
	setSchedule(p.YieldOneIn, p.ChangeOneIn)
	return true
}

//go:linkname setSchedule runtime.simSetSchedule
func setSchedule(yieldOneIn, changeOneIn uint32)
