// Package guard names the rules of the replication contract that forbid
// something, so that the explorer can take one out and show what it is for.
//
// A machine is given the Set of rules that are out by its Config, and asks
// Out where it obeys one. In a program that is built without the tag
// "explore", Out is the constant false, whatever the Set holds: no rule of a
// broker that serves can be switched off.
//
// It is NOT a place for settings, and not for faults: those are planted by
// package plant.
package guard

import (
	"fmt"
	"strings"
)

// Rule is one rule of the contract (docs/replication.md), named by the section
// that it stands in.
type Rule uint8

// The rules of the leader.
const (
	// L1Broker: an incarnation takes no role from metadata older than its
	// own registration.
	L1Broker Rule = iota
	// L1Controller: a registration takes the lead from the broker.
	L1Controller
	// L2Diverging: a leader tells a follower whose log left its own where that was.
	L2Diverging
	// L3Own: the leader's own durable end holds the high watermark.
	L3Own
	// L3MinISR: the high watermark stands while ISR is below min.insync.replicas.
	L3MinISR
	// L3Pending: a pending addition to ISR holds the high watermark.
	L3Pending
	// L3Removal: so does a member whose removal is pending.
	L3Removal
	// L3Marks: so does a member of ISR with a doubt mark.
	L3Marks
	// L4LeaderEpoch: a position sent under another leader epoch counts for nothing.
	L4LeaderEpoch
	// L4BrokerEpoch: so does one of another incarnation than the image shows.
	L4BrokerEpoch
	// L4Position: so does a fetch whose end does not lie on the leader's log.
	L4Position
	// L4Report: so does a report of a durable end that does not.
	L4Report
	// L4Forget: a follower's new broker epoch makes the leader forget its
	// durable end.
	L4Forget
	// L4Durable: what counts is the follower's durable end, not its LEO.
	L4Durable
	// L5HighWatermark: a replica joins ISR with the high watermark on its disk.
	L5HighWatermark
	// L5EpochStart: and with all below the start of the leader's epoch.
	L5EpochStart
	// L5Unanswered: a refusal ends a pending addition only if no other attempt
	// went unanswered.
	L5Unanswered
	// L5LogStart: a replica joins ISR with the leader's log start on its disk.
	L5LogStart
	// L6Latest: a leader does not tell the latest offset before its high
	// watermark has reached the start of its epoch.
	L6Latest
	// L7Whole: a deletion is acknowledged when the log start is on the disks of
	// the whole maximal ISR.
	L7Whole
	// L7MinISR: and while ISR is as large as it must be.
	L7MinISR

	// F1Diverge: a follower truncates where its log left the leader's, not to
	// its high watermark.
	F1Diverge
	// F1Committed: below its high watermark it truncates only while the leader
	// recovers.
	F1Committed
	// F2Incarnation: an answer to an earlier life of the replica is dropped.
	F2Incarnation
	// F2LeaderEpoch: so is one to a fetch under another leader epoch.
	F2LeaderEpoch
	// F2Position: so is one to a fetch from another end.
	F2Position
	// F2Epochs: so are batches whose epochs fall, or exceed the epoch asked under.
	F2Epochs
	// F3Durable: a truncation is durable before an offset that it freed is used.
	F3Durable
	// F3Mark: a truncation lowers the synced-through mark first.
	F3Mark
	// F3Sync: a sync that began before a truncation proves nothing above the cut.
	F3Sync
	// F5Diverging: the high watermark in an answer is no news for a log that
	// left the leader's.
	F5Diverging

	// S5Doubtful: what recovery cut, or a bad commit touched, is told.
	S5Doubtful
	// S5Damaged: a damaged replica leaves ISR and ELR.
	S5Damaged
	// S5Unclean: under durability os, an unclean stop is damage.
	S5Unclean
	// S5Recorded: a verdict outlives a second recovery.
	S5Recorded
	// S5Marked: a marked member is elected only if all others are marked and
	// none kept more.
	S5Marked
	// S5Whole: a mark goes only when the leader says that the member is whole.
	S5Whole
	// S5Ends: and then it goes.
	S5Ends

	// C1ELR: an eligible replica outside ISR may be elected.
	C1ELR
	// C1Clean: nobody else is, unless the operator allows it.
	C1Clean
	// C1LastKnown: under durability os the last known leader is elected where
	// all members of ISR and ELR are damaged.
	C1LastKnown
	// C2LeaderEpoch: AlterPartition names the current leader epoch.
	C2LeaderEpoch
	// C2PartitionEpoch: and the current partition epoch.
	C2PartitionEpoch
	// C2BrokerEpoch: and the current broker epoch of each member, which is that
	// of the incarnation whose position was proved (rule L5).
	C2BrokerEpoch
	// C2Fenced: and no member that is fenced or stopping.
	C2Fenced
	// C2Bump: every election begins a leader epoch.
	C2Bump
	// C2Writes: an accepted AlterPartition begins a partition epoch, for the
	// same ISR too.
	C2Writes
	// C3Enter: a member that leaves an ISR that falls below min.insync.replicas
	// becomes eligible.
	C3Enter
	// C3Empty: an ISR of min.insync.replicas empties the list of eligible ones.
	C3Empty
	// C3Lower: a lower min.insync.replicas empties it too.
	C3Lower
	// C3Short: and is refused while an ISR is below the new value.
	C3Short
	// C3Reassign: a reassignment drops replicas only when all new ones are in ISR.
	C3Reassign

	// Rules is the number of rules.
	Rules
)

// names are how rules are written in tables and on command lines.
var names = [Rules]string{
	"L1-broker", "L1-controller", "L2-diverging", "L3-own", "L3-min-isr", "L3-pending", "L3-removal", "L3-marks",
	"L4-leader-epoch", "L4-broker-epoch", "L4-position", "L4-report", "L4-forget", "L4-durable",
	"L5-high-watermark", "L5-epoch-start", "L5-unanswered", "L5-log-start", "L6-latest", "L7-whole", "L7-min-isr",
	"F1-diverge", "F1-committed", "F2-incarnation", "F2-leader-epoch", "F2-position", "F2-epochs", "F3-durable", "F3-mark", "F3-sync", "F5-diverging",
	"S5-doubtful", "S5-damaged", "S5-unclean", "S5-recorded", "S5-marked", "S5-whole", "S5-ends",
	"C1-elr", "C1-clean", "C1-last-known", "C2-leader-epoch", "C2-partition-epoch", "C2-broker-epoch", "C2-fenced", "C2-bump", "C2-writes",
	"C3-enter", "C3-empty", "C3-lower", "C3-short", "C3-reassign",
}

func (r Rule) String() string { return names[r] }

// Set is the rules that are taken out, by bit. The zero Set takes none.
type Set uint64

// Of is the set of rules.
func Of(rules ...Rule) (s Set) {
	for _, r := range rules {
		s |= 1 << r
	}
	return s
}

// Out reports whether the rule is taken out: never, without the build tag.
func (s Set) Out(r Rule) bool { return Switches && s&(1<<r) != 0 }

// Parse is the set of the rules whose names stand between commas. An error names
// the valid ones.
func Parse(list string) (s Set, err error) {
	for name := range strings.SplitSeq(list, ",") {
		r, ok := Find(name)
		if !ok {
			return 0, fmt.Errorf("no rule %q; there are %s", name, strings.Join(names[:], ", "))
		}
		s |= Of(r)
	}
	return s, nil
}

// Find is the rule of that name.
func Find(name string) (Rule, bool) {
	for r, n := range names {
		if n == name {
			return Rule(r), true
		}
	}
	return 0, false
}
