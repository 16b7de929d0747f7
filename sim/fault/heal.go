package fault

import "github.com/moldau/moldau/sim/world"

// Heal ends whatever is still wrong with the machines: network, disks, clocks,
// pauses. Processes that are down stay down.
func Heal(w *world.World) {
	w.Fabric.HealAll()
	for _, n := range w.Nodes() {
		n.Disk.Heal()
		n.Clock.Heal()
		n.Resume()
	}
}
