package explore

import "github.com/moldau/moldau/broker/kafka"

// abc are all brokers.
func abc() []int { return []int{0, 1, 2} }

// Small are worlds that are searched completely within seconds: those of
// continuous integration.
func Small() []World {
	return []World{
		{Name: "two members", Appends: 2, Crashes: 1, Epochs: 2},
		{Name: "two members, rot", Appends: 1, Crashes: 1, Epochs: 1, Fences: 1, Alters: 1, Rots: 1, Torn: true},
		{Name: "two members, another disk", Appends: 1, Crashes: 1, Epochs: 1, Fences: 1, Alters: 1, Replaced: 1},
		{Name: "two members, a message held back", Appends: 1, Fences: 1, Epochs: 1, Alters: 1, Held: 1},
		{Name: "three members", ISR: abc(), Appends: 1, Crashes: 1, Epochs: 2, Fences: 1, Alters: 1},
		{Name: "three members, os", ISR: abc(), Durability: kafka.DurabilityOS, Appends: 1, Crashes: 1, Epochs: 2, Alters: 1},
		{Name: "shrinking", Appends: 1, Lags: 1, Fences: 1, Epochs: 1, Alters: 2},
		{Name: "deletion", Appends: 1, Deletes: 1, Fences: 1, Epochs: 1, Alters: 1, SlowLogStart: true},
		{Name: "min.insync.replicas", Appends: 1, Operator: 1, MinISRs: []int{1}, Fences: 2, Epochs: 2},
		{Name: "unclean", Unclean: true, Appends: 1, Fences: 2, Epochs: 3},
	}
}

// Full are the worlds that take longer: those that a search of an hour is for.
func Full() []World {
	return append(Small(), []World{
		{Name: "rot", Appends: 1, Crashes: 2, Epochs: 3, Fences: 1, Alters: 1, Rots: 1, Torn: true},
		{Name: "another disk, reports, marks", Appends: 1, Crashes: 1, Epochs: 3, Fences: 1, Alters: 1, Replaced: 1, Reports: true, Marks: true},
		{Name: "two values, rot", Appends: 2, Crashes: 2, Epochs: 3, Rots: 1, Torn: true},
		{Name: "os", ISR: abc(), Durability: kafka.DurabilityOS, Appends: 1, Crashes: 2, Epochs: 3, Fences: 1, Alters: 1, Torn: true},
		{Name: "three members, a message held back", ISR: abc(), Appends: 1, Crashes: 2, Epochs: 3, Held: 1, Torn: true},
		{Name: "three members, rot, another disk", ISR: abc(), Appends: 1, Crashes: 3, Epochs: 3, Rots: 1, Replaced: 1, Torn: true},
		{Name: "two values, rot, fence", Appends: 2, Crashes: 2, Epochs: 3, Fences: 1, Alters: 1, Rots: 1, Torn: true},
		{Name: "min.insync.replicas 1", MinISR: 1, Appends: 1, Crashes: 2, Epochs: 3, Fences: 2, Alters: 2, Torn: true},
		{Name: "a message held back", Appends: 1, Crashes: 1, Epochs: 2, Fences: 1, Alters: 1, Held: 1, Torn: true},
		{Name: "three members, rot", ISR: abc(), Appends: 1, Crashes: 2, Epochs: 3, Fences: 1, Alters: 1, Rots: 1, Torn: true},
		{Name: "shrinking, messages held back", Appends: 1, Crashes: 1, Lags: 1, Fences: 1, Epochs: 2, Alters: 2, Held: 2},
		{Name: "slow truncation", Appends: 2, Crashes: 2, Epochs: 3, SlowCut: true, Hints: true},
		{Name: "deletions", Appends: 2, Crashes: 1, Deletes: 1, Fences: 1, Epochs: 2, Alters: 1, SlowLogStart: true},
		{Name: "settings", Appends: 1, Crashes: 1, Operator: 2, MinISRs: []int{1, 2, 3}, Fences: 2, Epochs: 3, Alters: 1},
		{Name: "unclean elections", Unclean: true, Appends: 2, Crashes: 1, Fences: 2, Epochs: 4, Alters: 1, Operator: 1},
		{Name: "clean stops, os", ISR: abc(), Durability: kafka.DurabilityOS, Clean: true, Appends: 2, Crashes: 2, Epochs: 3, Fences: 1},
		{Name: "acks=all", AcksAll: true, Appends: 2, Crashes: 1, Fences: 1, Epochs: 2, Alters: 1, Lags: 1},
	}...)
}
