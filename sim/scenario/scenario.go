package scenario

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/fault"
	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// Scenario is a kind of run.
type Scenario struct {
	Name string
	// About says in a sentence what it is after.
	About string
	// Plan draws a run.
	Plan func(d *Draw) Plan
}

// Draw is what a plan is drawn from.
type Draw struct {
	// Rand is the plan's own stream; Streams are for streams beside it.
	Rand    *rand.Rand
	Streams simcore.Streams
	// Duration is how long clients and faults go on.
	Duration time.Duration
}

// Plan is one run, drawn.
type Plan struct {
	Nodes []world.NodeConfig
	// Topics are made before the clients begin.
	Topics []workload.TopicSpec
	// Clients are the run's clients, on hosts of their own ("c1", ...).
	Clients func(topics []*workload.Topic) []workload.Actor
	// Faults happen while the clients work.
	Faults fault.Swarm
	// CopiesLostMax is how many copies of one thing may be lost at once; with as
	// many as there are, loss is legitimate and the history says so.
	CopiesLostMax int
	// Net is how all links fare from the start on, healed or not; see
	// simnet.Link. Zero is a network without delay.
	Net Net
	// Resettle draws the settings of a process that a fault starts with others.
	Resettle func(*rand.Rand) world.Settings
	// Script, if there is one, runs beside the clients: what a scenario wants
	// to happen in a certain order. It returns when stop closes at the latest.
	Script func(s *Stage)
	// Settle lets the run go on to the deadline for progress after the heal, so
	// that groups can be held to agree by then.
	Settle bool
	// Prompt says that no fault of the plan holds an answer up for so long, the
	// wait that was asked for included; zero says nothing.
	Prompt time.Duration
	// Demands are marks that must have fired, else the run is broken.
	Demands []string
}

// Stage is what a script acts on.
type Stage struct {
	World   *world.World
	Topics  []*workload.Topic
	Clients []string // hosts
	Rand    *rand.Rand
	Stop    <-chan struct{}
	// Injector gives the sites at which a script lets named faults strike.
	Injector *fault.Injector
	// Leader is the newest leader of a partition, nil before there is one.
	Leader func(topic *workload.Topic, partition int32) *world.Node
	// Controller is the newest active controller, nil before there is one.
	Controller func() *world.Node
	// Available tells the checkers that, whatever is cut or down from now on,
	// appends to a partition go on within a time.
	Available func(topic *workload.Topic, partition int32, why string, within time.Duration)
	// Leave has the checkers look at something that is left behind at the end.
	Leave func(history.Leftover)
}

// All are the scenarios, in a fixed order.
func All() []Scenario {
	return []Scenario{
		mixed(), idempotentRetries(), groups(), retention(), diskFull(), recovery(), journalPower(), configs(), twoDirs(), churn(),
		lateRepeat(), silentMember(), rollPower(), syncErrorOnce(), clocks(), journalHang(), attrition(), beyond(),
		cluster(), leaderIsolated(), controllerMinority(), splitBrain(), asymmetric(), slowFollower(), rollingKills(), powerLossAll(),
		pauseLeader(), pauseController(), clockJumps(), topicDeletion(), uncleanAllowed(), uncleanForbidden(), diskLost(), bitRotOneReplica(),
		restartBehind(), shorterLeads(), quickUnclean(), missedElection(), joinsBelow(), latestGoesBack(), emptiedBeforeJoin(), emptiedUnderItsName(), eligibleNoMore(), acknowledgesAlone(),
		lastStanding(), pausedMajority(), rottenLeads(),
	}
}

// Names lists all scenarios' names.
func Names() (names []string) {
	for _, s := range All() {
		names = append(names, s.Name)
	}
	return names
}

// Find returns the scenario of a name. A wrong name is an error that names the
// valid ones.
func Find(name string) (Scenario, error) {
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
	}
	return Scenario{}, fmt.Errorf("no scenario %q; there are %s", name, strings.Join(Names(), ", "))
}
