package linearizability

import "github.com/moldau/moldau/linearizability/history"

// Expectation says what an acknowledged append was promised.
type Expectation struct {
	// Kept says that it must be there at the end, unless one of LostBy struck
	// its partition after the append began.
	Kept   bool
	LostBy []history.EventKind
}

// expectations, by durability and acks:
//
//	         sync                          os
//	acks -1  damage, unclean               damage, unclean, power loss
//	acks  1  damage, unclean, leader       damage, unclean, leader, power loss
//	acks  0  nothing is promised           nothing is promised
//
// A kill alone excuses nothing: what was written stays with the kernel. Damage
// is what the injector marks as more than the promise must survive. Where the
// history tells of elections (Header.Elections), power loss alone excuses nothing.
var expectations = map[history.Durability]map[int16]Expectation{
	history.DurabilitySync: {
		-1: {Kept: true, LostBy: []history.EventKind{history.EventDamage, history.EventUnclean}},
		1:  {Kept: true, LostBy: []history.EventKind{history.EventDamage, history.EventUnclean, history.EventLeader}},
		0:  {},
	},
	history.DurabilityOS: {
		-1: {Kept: true, LostBy: []history.EventKind{history.EventDamage, history.EventUnclean, history.EventPowerLoss}},
		1:  {Kept: true, LostBy: []history.EventKind{history.EventDamage, history.EventUnclean, history.EventPowerLoss, history.EventLeader}},
		0:  {},
	},
}

// Expect returns what holds for a durability and acks. What a consumer was
// given, and every high watermark, has the promise of acks -1: it was below the
// high watermark, however it was produced.
func Expect(d history.Durability, acks int16) Expectation { return expectations[d][acks] }
