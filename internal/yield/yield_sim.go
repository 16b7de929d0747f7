//go:build moldau_sim

package yield

import _ "unsafe" // for go:linkname

// Point lets the seeded scheduler of the simulator choose who runs next. It
// needs the simulator's runtime (sim/overlay).
func Point() { point() }

//go:linkname point runtime.simYieldPoint
func point()
