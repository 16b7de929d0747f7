//go:build !moldau_sim

package schedule

// Set chooses the policy from here on, and reports whether the runtime has
// any.
func Set(Policy) bool { return false }
