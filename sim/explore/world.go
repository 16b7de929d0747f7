package explore

import (
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/internal/guard"
)

// World is what may happen, and how often. A begins as the leader of epoch 1,
// all logs are empty.
type World struct {
	Name string
	// ISR are the members at the beginning, A (0) among them.
	ISR []int
	// Order is that of the replicas, by which elections go; nil means A, B, C.
	Order []int
	// MinISR is min.insync.replicas; 0 means 2.
	MinISR     int
	Durability kafka.Durability
	Unclean    bool // unclean.leader.election.enable

	// How often each may happen in one history, at most 15.
	Appends  int
	Crashes  int
	Epochs   int // leader epochs beyond the first; the end of a lead without a successor is one too
	Fences   int
	Alters   int // AlterPartition requests that the controller takes
	Held     int // messages held back, or answers lost
	Rots     int // crashes that take the last synced batch
	Replaced int // crashes after which the disk is another, empty one
	Lags     int // times that pass replica.lag.time.max.ms
	Deletes  int // DeleteRecords up to the high watermark
	Operator int // elections and settings by the operator

	Torn    bool // a crash may leave bytes that recovery cuts
	Clean   bool // processes may stop cleanly
	Reports bool // durable ends are reported between fetches too
	Marks   bool // synced-through marks are written with every sync: rot is damage
	Hints   bool // the high watermark's checkpoint survives a crash
	SlowCut bool // a truncation takes time, and may be cut short by a crash
	// SlowLogStart: so does a new log start.
	SlowLogStart bool
	AcksAll      bool  // appends ask for all acks; refused below min.insync.replicas
	MinISRs      []int // values that the operator may give to min.insync.replicas

	// Out are the rules that are taken out.
	Out guard.Set
	// Prefix is a script that comes before the search.
	Prefix string
}

// spent counts what has happened, four bits for each kind.
type spent uint64

// The places in spent.
const (
	spentAppends = iota
	spentCrashes
	spentFences
	spentAlters
	spentHeld
	spentRots
	spentReplaced
	spentLags
	spentDeletes
	spentOperator
	spentLost // a bit for each broker: its disk lost what it had synced
)

func (s spent) get(at int) int { return int(s>>(4*at)) & 15 }

func (s spent) plus(at int) spent { return s + 1<<(4*at) }

// lost reports whether the broker's disk lost what it had synced, and nobody
// has made it whole since.
func (s spent) lost(i int) bool { return s.get(spentLost)>>i&1 != 0 }

func (s spent) setLost(i int, lost bool) spent {
	bit := spent(1) << (4*spentLost + i)
	if lost {
		return s | bit
	}
	return s &^ bit
}

// step is one thing that happens: its kind, the broker that it happens to, and
// a number.
type step uint16

type stepKind uint8

const (
	stepAppend stepKind = iota
	stepSync
	stepFetch
	stepReport
	stepAlter
	stepLearn
	stepCut
	stepLogStart
	stepLag
	stepFence
	stepUnfence
	stepCrash // number: batches kept * 2, + 1 for torn
	stepRevert
	stepRot
	stepReplace
	stepStop
	stepRestart
	stepRecover // a recovery that is cut short
	stepDelete
	stepHoldFetch
	stepHoldAnswer
	stepHoldReport
	stepHoldAlter
	stepLoseAnswer
	stepDeliver // number: which
	stepElect
	stepElectUnclean
	stepSetMinISR // number: the value
	stepKinds
	// Questions that are no steps.
	askObserve
	askWait
)

// stepNames are how steps are written in scripts and counterexamples.
var stepNames = [stepKinds]string{
	"append", "sync", "fetch", "report", "alter", "learn", "cut", "log-start", "lag", "fence", "unfence", "crash", "revert", "rot",
	"replace", "stop", "restart", "recover", "delete", "hold-fetch", "hold-answer", "hold-report", "hold-alter", "lose-answer", "deliver",
	"elect", "elect-unclean", "set-min-isr",
}

func makeStep(k stepKind, i, n int) step { return step(k)<<11 | step(i)<<9 | step(n) }

func (s step) kind() stepKind { return stepKind(s >> 11) }
func (s step) broker() int    { return int(s>>9) & 3 }
func (s step) number() int    { return int(s) & 511 }
