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
		{Rule: guard.L2Diverging, World: World{Appends: 2, Crashes: 1, Fences: 1, Epochs: 2, Alters: 1,
			Prefix: "append A; crash A 1; restart A; learn B; append B; learn A"}},
		{Rule: guard.L3Own, World: World{Appends: 1, Crashes: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.L3MinISR, World: World{Appends: 1, Fences: 2, Epochs: 2}},
		{Rule: guard.L3Pending, World: World{Order: []int{0, 2, 1}, Appends: 1, Alters: 1, Fences: 1, Epochs: 1}},
		{Rule: guard.L3Removal, World: World{Appends: 1, Lags: 1, Fences: 1, Epochs: 1}},
		{Rule: guard.L3Marks, World: World{Appends: 1, Crashes: 2, Fences: 1, Epochs: 3, Alters: 2, Rots: 1, Torn: true,
			Prefix: "append A; fetch B; crash B 0 torn; restart B; learn A; learn B; fetch B; sync A; sync B; fetch B; alter A; learn A"}},
		{Rule: guard.L4LeaderEpoch, World: World{ISR: abc(), Order: []int{0, 2, 1}, MinISR: 3, Appends: 1, Crashes: 1, Fences: 4, Epochs: 6, Held: 1, Alters: 2,
			Prefix: "append A; sync A; fetch B; sync B; hold-fetch B; crash A 1; restart A; learn C; learn B; fetch B; fence B; fence C; learn A; unfence C; unfence B; learn A; learn C; fetch C; sync C"}},
		{Rule: guard.L4BrokerEpoch, World: World{Appends: 1, Crashes: 1, Replaced: 1, Fences: 1, Epochs: 1, Alters: 1, Held: 1,
			Prefix: "append A; sync A; fetch B; sync B; hold-fetch B; fetch B; replace B; restart B"}},
		{Rule: guard.L4Position, World: World{Appends: 2, Crashes: 1, Fences: 1, Epochs: 2, Alters: 1,
			Prefix: "append A; crash A 1; restart A; learn B; append B; learn A"}},
		{Rule: guard.L4Report, World: World{Appends: 2, Crashes: 1, Fences: 1, Epochs: 2, Alters: 1, Reports: true,
			Prefix: "append A; crash A 1; restart A; learn B; append B; learn A"}},
		{Rule: guard.L4Forget, World: World{Appends: 1, Crashes: 1, Replaced: 1, Fences: 1, Epochs: 1, Alters: 1,
			Prefix: "append A; sync A; fetch B; sync B; fetch B; replace B; restart B"}},
		{Rule: guard.L4Durable, World: World{Appends: 1, Crashes: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.L5HighWatermark, World: World{Order: []int{0, 2, 1}, Appends: 1, Fences: 1, Epochs: 1, Alters: 1, Reports: true,
			Prefix: "append A; sync A; fetch B; sync B; fetch B"}},
		{Rule: guard.L5EpochStart, World: World{Appends: 1, Fences: 2, Epochs: 2, Alters: 1, Reports: true,
			Prefix: "append A; sync A; fetch B; sync B; report B; fence A; learn B"}},
		{Rule: guard.L5Unanswered, World: World{ISR: []int{0}, MinISR: 1, Appends: 1, Fences: 2, Epochs: 1, Alters: 1, Held: 1,
			Prefix: "fetch B; append A; hold-alter A; sync A; fence B"}},
		{Rule: guard.L5LogStart, World: World{Order: []int{0, 2, 1}, Appends: 1, Deletes: 1, Fences: 2, Epochs: 1, Alters: 1, SlowLogStart: true,
			Prefix: "fence C; learn A; append A; sync A; fetch B; sync B; fetch B; fetch C; sync C; fetch C; delete A; log-start A; fetch B; log-start B; fetch B"}},
		{Rule: guard.L6Latest, Idle: "clients that ask for offsets are no part of the worlds; the machine's scripts are"},
		{Rule: guard.L7Whole, World: World{Appends: 1, Deletes: 1, Fences: 1, Epochs: 1}},
		{Rule: guard.L7MinISR, World: World{Appends: 1, Deletes: 1, Fences: 2, Epochs: 2, SlowLogStart: true,
			Prefix: "append A; sync A; fetch B; sync B; fetch B; fence B; learn A"}},

		{Rule: guard.F1Diverge, World: World{Appends: 1, Crashes: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.F1Committed, World: World{Appends: 2, Crashes: 1, Fences: 1, Epochs: 2},
			Idle: "the others keep every truncation above the high watermark; it is for errors in them"},
		{Rule: guard.F2Incarnation, World: World{Appends: 1, Crashes: 1, Epochs: 1, Held: 1},
			Idle: "here answers die with the process; what it is for is a replica that is closed and opened within one"},
		{Rule: guard.F2LeaderEpoch, World: World{ISR: abc(), Order: []int{0, 2, 1}, Appends: 1, Crashes: 2, Epochs: 3, Fences: 1, Held: 1, Alters: 1,
			Prefix: "append A; sync A; fetch B; sync B; fetch B; crash A 1; restart A; learn A; learn C; hold-answer A; crash C 0; restart C; learn B; learn A; fetch A"}},
		{Rule: guard.F2Position, World: World{Appends: 2, Crashes: 1, Epochs: 2, Held: 1, Fences: 1, Alters: 1,
			Prefix: "append A; crash A 1; restart A; learn B; learn A; hold-fetch A; fetch A; append B; fetch A; sync A; sync B; fetch A"}},
		{Rule: guard.F2Epochs, World: World{Appends: 2, Crashes: 1, Epochs: 1, Held: 1},
			Idle: "no leader sends such batches; it is for damage and for errors"},
		{Rule: guard.F3Durable, World: World{Appends: 2, Crashes: 2, Epochs: 3, Alters: 1, Hints: true,
			Prefix: "append A; fetch C; sync C; crash A 0; restart A; learn B; learn A; append B; fetch A; sync A; sync B; fetch A; alter B; learn B; learn C"}},
		{Rule: guard.F5Diverging, Idle: "the cut that such an answer brings takes the high watermark down again in the same step"},
		{Rule: guard.F3Mark, World: World{Appends: 1, Crashes: 1, Fences: 1, Epochs: 1, Marks: true}},

		{Rule: guard.S5Doubtful, World: World{Appends: 1, Crashes: 1, Rots: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.S5Damaged, World: World{Appends: 1, Crashes: 1, Replaced: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.S5Unclean, World: World{Durability: kafka.DurabilityOS, Appends: 1, Crashes: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.S5Recorded, World: World{Appends: 1, Crashes: 2, Rots: 1, Fences: 1, Epochs: 2,
			Prefix: "append A; sync A; fetch B; sync B; fetch B; rot A"}},
		{Rule: guard.S5Marked, World: World{Appends: 1, Crashes: 1, Rots: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.S5Whole, World: World{Appends: 1, Crashes: 1, Fences: 1, Epochs: 2, Alters: 1, Torn: true},
			Idle: "a marked replica comes into ISR only by the proof that takes its mark off"},
		{Rule: guard.S5Ends, Heal: true, World: World{Appends: 1, Crashes: 1, Fences: 1, Epochs: 2, Alters: 2, Torn: true,
			Prefix: "append A; fetch B; crash B 0 torn; restart B"}},

		{Rule: guard.C1ELR, Heal: true, World: World{Fences: 2, Epochs: 1}},
		{Rule: guard.C1Clean, World: World{Appends: 1, Fences: 2, Epochs: 2}},
		{Rule: guard.C1LastKnown, Heal: true, World: World{Durability: kafka.DurabilityOS, Crashes: 2, Epochs: 4}},
		{Rule: guard.C2LeaderEpoch, World: World{Appends: 1, Fences: 1, Epochs: 1, Held: 1, Alters: 1},
			Idle: "every election begins a partition epoch too, and that is checked"},
		{Rule: guard.C2PartitionEpoch, World: World{ISR: []int{0, 2}, Appends: 1, Fences: 2, Epochs: 1, Held: 1, Alters: 2,
			Prefix: "fetch B; hold-alter A; fence B; alter A; alter A; learn A; append A; sync A; fetch C; sync C; fetch C"}},
		{Rule: guard.C2BrokerEpoch, World: World{Order: []int{0, 2, 1}, Appends: 1, Crashes: 1, Rots: 1, Fences: 1, Epochs: 1, Alters: 1,
			Prefix: "append A; sync A; fetch B; sync B; fetch B; fetch C; sync C; fetch C"}},
		{Rule: guard.C2Fenced, World: World{Appends: 1, Fences: 2, Epochs: 1, Alters: 1},
			Idle: "a fenced member holds what ISR promises; it saves an outage when the leader goes while the member is away"},
		{Rule: guard.C2Bump, World: World{Appends: 2, Crashes: 1, Fences: 1, Epochs: 2}},
		{Rule: guard.C2Writes, World: World{ISR: []int{0}, MinISR: 1, Appends: 1, Fences: 1, Epochs: 1, Alters: 2, Held: 1},
			Idle: "a leader counts a pending addition until it sees a later partition epoch; without one, it only waits"},
		{Rule: guard.C3Enter, Heal: true, World: World{Fences: 2, Epochs: 1}},
		{Rule: guard.C3Empty, World: World{Appends: 1, Lags: 1, Fences: 2, Epochs: 2, Alters: 2,
			Prefix: "append A; sync A; lag A; alter A; learn A; fetch C; alter A; learn A"}},
		{Rule: guard.C3Lower, World: World{Appends: 1, Operator: 1, MinISRs: []int{1}, Fences: 2, Epochs: 2}},
		{Rule: guard.C3Short, Heal: true, World: World{ISR: abc(), MinISR: 3, Operator: 1, MinISRs: []int{2}, Fences: 3, Epochs: 2}},
		{Rule: guard.C3Reassign, Idle: "no world moves replicas; the random test of package controller holds every batch to it"},
		{Rule: guard.F3Sync, Idle: "a sync is one step here; the order within a disk is for the tests of package logdir"},
	}
	for i := range list {
		list[i].World.Out = guard.Of(list[i].Rule)
		list[i].World.Name = list[i].Rule.String() + " out"
	}
	return list
}
