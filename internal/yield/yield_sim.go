//go:build moldau_sim

package yield

import "runtime"

// Point lets the seeded scheduler of the simulator choose who runs next.
func Point() { runtime.Gosched() }
