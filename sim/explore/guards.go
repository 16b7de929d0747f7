package explore

import (
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/internal/guard"
)

// Guarded is a rule, and the world in which taking it out shows.
type Guarded struct {
	Rule  guard.Rule
	World World
	// Heal: what the rule is for shows when the world is healed.
	Heal bool
	// Deep: it takes a search of minutes.
	Deep bool
	// Idle says why nothing follows from taking the rule out; "" where
	// something does.
	Idle string
}

// Guards are all rules that can be taken out, in the order of the contract.
func Guards() []Guarded {
	list := []Guarded{
		{Rule: guard.L1Broker, World: World{Appends: 2, Crashes: 1}},
		{Rule: guard.L1Controller, World: World{Appends: 2, Crashes: 1}},
		{Rule: guard.L3Own, World: World{Appends: 1, Crashes: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.L3MinISR, World: World{Appends: 1, Fences: 2, Epochs: 2}},
		{Rule: guard.L3Pending, World: World{Order: []int{0, 2, 1}, Appends: 1, Alters: 1, Fences: 1, Epochs: 1}},
		{Rule: guard.L3Removal, World: World{Appends: 1, Lags: 1, Fences: 1, Epochs: 1}},
		{Rule: guard.L3Marks, World: World{Appends: 1, Crashes: 2, Fences: 1, Epochs: 3, Alters: 1, Rots: 1, Torn: true}},
		{Rule: guard.L4LeaderEpoch, World: World{ISR: abc(), Order: []int{0, 2, 1}, MinISR: 3, Appends: 1, Crashes: 3, Fences: 1, Epochs: 4, Held: 1, Alters: 2}},
		{Rule: guard.L4BrokerEpoch, World: World{Appends: 1, Crashes: 1, Replaced: 1, Fences: 1, Epochs: 1, Alters: 1, Held: 1}},
		{Rule: guard.L4Position, World: World{Appends: 2, Crashes: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.L4Report, World: World{Appends: 2, Crashes: 1, Fences: 1, Epochs: 2, Reports: true}},
		{Rule: guard.L4Forget, World: World{Appends: 1, Crashes: 1, Replaced: 1, Fences: 1, Epochs: 1, Alters: 1}},
		{Rule: guard.L4Durable, World: World{Appends: 1, Crashes: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.L5HighWatermark, World: World{Order: []int{0, 2, 1}, Appends: 1, Fences: 1, Epochs: 1, Alters: 1}},
		{Rule: guard.L5EpochStart, World: World{Order: []int{0, 1, 2}, Appends: 1, Crashes: 1, Fences: 2, Epochs: 2, Alters: 1}},
		{Rule: guard.L5BrokerEpoch, World: World{Order: []int{0, 2, 1}, Appends: 1, Crashes: 1, Replaced: 1, Fences: 1, Epochs: 1, Alters: 1}},
		{Rule: guard.L5Unanswered, World: World{ISR: []int{0}, MinISR: 1, Appends: 1, Fences: 2, Epochs: 1, Alters: 1, Held: 1}},
		{Rule: guard.L5LogStart, World: World{Order: []int{0, 2, 1}, Appends: 1, Deletes: 1, Fences: 1, Epochs: 1, Alters: 1, SlowLogStart: true}},
		{Rule: guard.L6Latest, Idle: "clients that ask for offsets are no part of the worlds; the machine's scripts are"},
		{Rule: guard.L7Whole, World: World{Appends: 1, Deletes: 1, Fences: 1, Epochs: 1}},
		{Rule: guard.L7MinISR, World: World{Appends: 1, Deletes: 1, Fences: 2, Epochs: 2, SlowLogStart: true}},

		{Rule: guard.F1Diverge, World: World{Appends: 1, Crashes: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.F1Committed, World: World{Appends: 2, Crashes: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.F2Incarnation, World: World{Appends: 1, Crashes: 1, Epochs: 1, Held: 1}},
		{Rule: guard.F2LeaderEpoch, World: World{ISR: abc(), Order: []int{0, 2, 1}, Appends: 1, Crashes: 2, Epochs: 3, Fences: 1, Held: 1}},
		{Rule: guard.F2Position, World: World{Appends: 2, Crashes: 1, Epochs: 1, Held: 1}},
		{Rule: guard.F2Epochs, World: World{Appends: 2, Crashes: 1, Epochs: 1, Held: 1}},
		{Rule: guard.F3Durable, World: World{Order: []int{0, 1, 2}, Appends: 3, Crashes: 2, Epochs: 2}},
		{Rule: guard.F3Mark, World: World{Appends: 1, Crashes: 1, Fences: 1, Epochs: 1, Marks: true}},
		{Rule: guard.F5Diverging, Idle: "the cut that such an answer brings takes the high watermark down again in the same step"},

		{Rule: guard.S5Doubtful, World: World{Appends: 1, Crashes: 1, Rots: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.S5Damaged, World: World{Appends: 1, Crashes: 1, Replaced: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.S5Unclean, World: World{Durability: kafka.DurabilityOS, Appends: 1, Crashes: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.S5Recorded, World: World{Appends: 1, Crashes: 2, Rots: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.S5Marked, World: World{Appends: 1, Crashes: 1, Rots: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.S5Whole, World: World{Appends: 1, Crashes: 2, Fences: 1, Epochs: 3, Alters: 1, Rots: 1, Torn: true}},
		{Rule: guard.S5Ends, World: World{Appends: 1, Crashes: 2, Fences: 1, Epochs: 3, Alters: 1, Rots: 1, Torn: true}},

		{Rule: guard.C1ELR, Heal: true, World: World{Fences: 2, Epochs: 1}},
		{Rule: guard.C1Clean, World: World{Appends: 1, Fences: 2, Epochs: 2}},
		{Rule: guard.C2LeaderEpoch, World: World{Appends: 1, Fences: 2, Epochs: 2, Held: 1, Alters: 1}},
		{Rule: guard.C2PartitionEpoch, World: World{ISR: abc(), Appends: 1, Lags: 1, Fences: 1, Epochs: 1, Held: 1, Alters: 2}},
		{Rule: guard.C2BrokerEpoch, World: World{Order: []int{0, 2, 1}, Appends: 1, Crashes: 1, Replaced: 1, Fences: 1, Epochs: 1, Alters: 1}},
		{Rule: guard.C2Fenced, World: World{Appends: 1, Fences: 2, Epochs: 1, Alters: 1}},
		{Rule: guard.C2Bump, World: World{Appends: 2, Crashes: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.C2Writes, World: World{ISR: []int{0}, MinISR: 1, Appends: 1, Fences: 2, Epochs: 1, Alters: 2, Held: 1}},
		{Rule: guard.C3Enter, Heal: true, World: World{Fences: 2, Epochs: 1}},
		{Rule: guard.C3Empty, World: World{Appends: 1, Lags: 1, Fences: 2, Epochs: 2, Alters: 2}},
		{Rule: guard.C3Lower, World: World{Appends: 1, Operator: 1, MinISRs: []int{1}, Fences: 2, Epochs: 2}},
		{Rule: guard.C3Short, Heal: true, World: World{ISR: abc(), MinISR: 3, Operator: 1, MinISRs: []int{2}, Fences: 3, Epochs: 2}},
	}
	for i := range list {
		list[i].World.Out = guard.Of(list[i].Rule)
		list[i].World.Name = list[i].Rule.String() + " out"
	}
	return list
}
