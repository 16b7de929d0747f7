// Package world is the machines of a simulation: nodes that run the real broker
// over a simulated clock, network and disk, and what can be done to them as
// machines: start, kill, cut the power, pause, stop, start with other settings.
//
//	World ── Fabric (net/simnet), Atlas, Marks, true time
//	  └─ Node (one machine: clock, host, disk, settings; outlives its processes)
//	       └─ incarnation (one process: fence, Broker) ── ended ─► the next one
//
// It is NOT an injector: what happens when is decided by sim/fault and
// sim/scenario. It knows no clients.
//
// What is done to a node goes through its fence and its machines alone; nobody
// calls into a crashed incarnation. A process that ends by itself (its metadata
// disk failed, say) is down like a killed one, until somebody starts it again.
//
// A process leaves nothing behind: all its goroutines carry a label, and ten
// seconds after its end the world looks whether any of them is left, which is
// an event for the checkers. Nothing of the world refers to its memory.
//
// Who owns state: each Node one mutex, never held while a broker is called.
package world
