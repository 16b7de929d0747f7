package scenario

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/moldau/moldau/clock/simclock"
	"github.com/moldau/moldau/internal/guard"
	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/fault"
	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// Limits of the phases of a run, in virtual time.
const (
	startMax     = 30 * time.Second // until all nodes serve, faults aside
	createMax    = 30 * time.Second // until the topics are made
	progressMax  = 30 * time.Second // until each client got on after the heal
	returnMax    = 60 * time.Second // until the clients have ended
	quietFor     = time.Second      // before the final reads
	finalMax     = 60 * time.Second // for the final reads
	stopMax      = 30 * time.Second // for a clean stop
	settleFor    = time.Second      // before leftovers are counted
	adminName    = "admin"
	clockSkewMax = 2 * fault.SkewMax // no wall clock is further off, drift included
)

// Options are what a run is made from.
type Options struct {
	Seed     uint64
	Scenario Scenario
	Duration time.Duration
	// EventsMax and ReadsMax bound events and clock readings; zero is no bound.
	EventsMax, ReadsMax int64
	// Abort ends the process, or the test, when a bound is passed.
	Abort func(reason string)
	// Out takes history and trace.
	Out io.Writer
	// Faults changes the swarm: names to add, and with a leading '-' to leave
	// out; "none" leaves out all that were drawn.
	Faults []string
	// Without are rules of the replication contract that the nodes do without. None
	// can be taken out of a program that is built without the tag explore.
	Without  guard.Set
	Timebase simcore.Timebase
	// Goroutines counts those that there are; nil is the runtime's number.
	Goroutines func() int
}

// Done is what a run that came to its end says about itself.
type Done struct {
	VirtualNs int64            `json:"virtual"`
	Events    int64            `json:"events"`
	Faults    int64            `json:"faults"`
	Ops       int64            `json:"ops"`
	Acked     int64            `json:"acked"`
	Marks     map[string]int64 `json:"marks"`
	Reads     int64            `json:"reads"`
}

// ErrBroken is in every error of Run: the run says nothing about the broker.
var ErrBroken = errors.New("broken run")

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrBroken, fmt.Errorf(format, args...))
}

// run is a run under way.
type run struct {
	o        Options
	plan     Plan
	meter    *world.Meter
	streams  simcore.Streams
	recorder *workload.Recorder
	world    *world.World
	losses   *losses
	leads    *leads
	scanner  *workload.Scanner
	topics   []*workload.Topic

	actors []workload.Actor
	hosts  []string
	calm   chan struct{}
	stop   chan struct{}
	// endCalm and endStop close them, once.
	endCalm, endStop func()
	wg               sync.WaitGroup

	goroutines int                // before anything was started
	leftovers  []history.Leftover // that the script found
}

// Run carries out one run. An error wraps ErrBroken.
func Run(o Options) (Done, error) {
	r := &run{o: o, streams: simcore.NewStreams(o.Seed), calm: make(chan struct{}), stop: make(chan struct{})}
	r.endCalm = sync.OnceFunc(func() { close(r.calm) })
	r.endStop = sync.OnceFunc(func() { close(r.stop) })
	if r.o.Goroutines == nil {
		r.o.Goroutines = runtime.NumGoroutine
	}
	r.goroutines = r.o.Goroutines()
	if err := r.build(); err != nil {
		return Done{}, err
	}
	err := r.carryOut()
	if err != nil {
		r.giveUp()
	}
	if closeErr := r.recorder.Close(); err == nil && closeErr != nil {
		err = broken("%w", closeErr)
	}
	if err == nil {
		err = r.judge()
	}
	return r.done(), err
}

// giveUp ends a run in its middle: nothing goes on afterwards. The trace has what
// each goroutine waited for.
func (r *run) giveUp() {
	r.traceWaiting("stuck")
	r.endCalm()
	r.endStop()
	for _, n := range r.world.Nodes() {
		n.Kill()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.wg.Wait()
	}()
	r.world.Await(ended, returnMax)
	r.world.Sleep(settleFor, nil)
}

// build makes the machines that the plan names.
func (r *run) build() (err error) {
	d := &Draw{Rand: r.streams.Stream("plan"), Streams: r.streams.Sub("plan"), Duration: r.o.Duration}
	r.plan = r.o.Scenario.Plan(d)
	if r.plan.Faults, err = changed(r.plan.Faults, r.o.Faults); err != nil {
		return broken("%w", err)
	}
	r.meter = &world.Meter{Base: r.o.Timebase, ReadsMax: r.o.ReadsMax, EventsMax: r.o.EventsMax, Over: r.over}
	r.recorder, err = workload.NewRecorder(r.o.Out, r.o.Timebase, history.Header{
		Seed: r.o.Seed, Scenario: r.o.Scenario.Name, EpochMs: r.o.Timebase.Now().UnixMilli(), SkewMaxMs: clockSkewMax.Milliseconds(), Elections: true,
	})
	if err != nil {
		return broken("%w", err)
	}
	r.losses, r.leads, r.scanner = newLosses(), newLeads(), workload.NewScanner(r.recorder)
	r.world = world.New(world.Config{
		Timebase: r.meter, Streams: r.streams.Sub("world"), Trace: r.trace, Event: r.event, CopiesLostMax: r.plan.CopiesLostMax, Out: r.o.Without,
		DiskStruck: r.diskStruck, DirectoryGone: r.directoryGone, Elected: r.elected, Unsound: r.unsound, Leads: r.led, Controls: r.leads.controls,
	})
	r.world.Fabric.SetNormal(r.plan.Net)
	speeds := r.streams.Stream("disk-speed")
	for _, n := range r.plan.Nodes {
		n.SyncLatency = syncTime(speeds)
		r.world.AddNode(n)
	}
	return nil
}

// over ends a run that passed a bound.
func (r *run) over(what string, count int64) {
	r.o.Abort(fmt.Sprintf("more than %d %s after %v of virtual time", count-1, what, time.Duration(r.recorder.Now())))
}

func (r *run) trace(lane, what string) {
	r.meter.Event()
	r.recorder.Trace(lane, what)
}

// env is what an actor on a host of its own runs on, until stop closes.
func (r *run) env(name string, stop <-chan struct{}) *workload.Env {
	var bootstrap []string
	for _, n := range r.world.Nodes() {
		if n.Broker() {
			bootstrap = append(bootstrap, n.Address())
		}
	}
	return &workload.Env{
		Network: r.world.Fabric.Join(name, nil), Clock: simclock.New(r.meter, nil).Boot(nil),
		Rand: r.streams.Stream("client/" + name), Recorder: r.recorder, Bootstrap: bootstrap, Name: name,
		Calm: r.calm, Stop: stop,
	}
}

// carryOut goes through the phases.
func (r *run) carryOut() error {
	for _, phase := range []func() error{r.start, r.create, r.work, r.heal, r.progress, r.quiet, r.finish} {
		if err := phase(); err != nil {
			return err
		}
	}
	return nil
}

// start brings all nodes up.
func (r *run) start() error {
	r.trace("run", "faults: "+fmt.Sprint(r.plan.Faults.Names()))
	for _, n := range r.world.Nodes() {
		if err := n.Start(); err != nil {
			return broken("%w", err)
		}
	}
	for _, n := range r.world.Nodes() {
		if !r.world.Await(n.Ready(), startMax) {
			return broken("%s does not serve after %v", n.Host, startMax)
		}
	}
	return nil
}

// create makes the topics.
func (r *run) create() (err error) {
	if r.topics, err = workload.CreateTopics(r.env(adminName, nil), r.plan.Topics, createMax); err != nil {
		return broken("create topics: %w", err)
	}
	return nil
}

// work lets clients and faults go on for the run's duration.
func (r *run) work() error {
	if r.plan.Clients != nil {
		r.actors = r.plan.Clients(r.topics)
	}
	for i := range r.actors {
		r.hosts = append(r.hosts, fmt.Sprintf("c%d", i+1))
	}
	for i, actor := range r.actors {
		env := r.env(r.hosts[i], r.stop)
		r.wg.Add(1)
		go func() {
			defer r.wg.Done()
			actor.Run(env)
		}()
	}
	if r.plan.Prompt > 0 {
		r.recorder.Event(history.Event{Kind: history.EventPrompt, At: r.recorder.Now(), Node: history.Unknown, DeadlineNs: int64(r.plan.Prompt)})
	}
	stop := make(chan struct{})
	alarm := r.o.Timebase.AfterFunc(r.o.Duration, func() { close(stop) })
	defer alarm.Stop()
	injector := fault.New(fault.Config{
		World: r.world, Swarm: r.plan.Faults, Clients: r.hosts, Link: r.plan.Net, Resettle: r.plan.Resettle, Stop: stop,
		Renewed: r.electUnclean,
	})
	var faults sync.WaitGroup
	if len(r.world.Nodes()) > 1 {
		faults.Add(1)
		go func() {
			defer faults.Done()
			r.scanWhile(stop)
		}()
	}
	faults.Add(1)
	go func() {
		defer faults.Done()
		injector.Run()
	}()
	if r.plan.Script != nil {
		r.plan.Script(r.stage(injector, stop))
	}
	<-stop
	faults.Wait()
	return nil
}

// stage is what a script acts on.
func (r *run) stage(injector *fault.Injector, stop <-chan struct{}) *Stage {
	return &Stage{
		World: r.world, Topics: r.topics, Clients: r.hosts, Rand: r.streams.Stream("script"), Stop: stop, Injector: injector,
		Leave: func(l history.Leftover) { r.leftovers = append(r.leftovers, l) },
		Leader: func(t *workload.Topic, partition int32) *world.Node {
			return r.world.Node(r.leads.leader(folder{t.Spec.Name, partition}))
		},
		Controller: func() *world.Node { return r.world.Node(r.leads.controller()) },
		Available: func(t *workload.Topic, partition int32, why string, within time.Duration) {
			r.recorder.Event(history.Event{
				Kind: history.EventAvailable, Node: history.Unknown, Topic: t.Text(), Partition: partition, Name: why, DeadlineNs: int64(within),
			})
		},
	}
}

// heal makes everything whole, and says so. Like an operator it has partitions
// elected of which no copy is whole; one that has no leader although a copy was
// spared is left to the node, and to the checker of progress.
func (r *run) heal() error {
	fault.Heal(r.world)
	r.world.Fabric.SetNormal(r.plan.Net)
	r.revive()
	for _, n := range r.world.Nodes() {
		if n.Broker() {
			r.electUnclean(n, nil)
		}
	}
	r.endCalm()
	r.trace("run", "healed")
	return nil
}

// revive has all nodes serve, starting again those whose process ends: one that
// was starting while the faults ended may have met the last of them. None is
// waited for before the others are started, for it may need them.
func (r *run) revive() {
	waiting := r.world.Nodes()
	for until := r.recorder.Now() + int64(startMax); len(waiting) > 0 && r.recorder.Now() < until; {
		for _, n := range waiting {
			fault.Renew(r.world, n)
		}
		var not []*world.Node
		for _, n := range waiting {
			if !r.world.Await(n.Ready(), reviveEvery) {
				not = append(not, n)
			}
		}
		waiting = not
	}
	for _, n := range waiting {
		r.trace("run", fmt.Sprintf("%s does not serve %v after all was healed", n.Host, startMax))
	}
}

// reviveEvery is how often it is looked whether a process has ended.
const reviveEvery = time.Second

// progress waits until each client got on.
func (r *run) progress() error {
	healed := r.recorder.Now()
	r.recorder.Event(history.Event{Kind: history.EventHealed, At: healed, Node: history.Unknown, Clients: r.hosts, DeadlineNs: int64(progressMax)})
	for r.recorder.Now()-healed <= int64(progressMax) {
		all := true
		for _, host := range r.hosts {
			all = all && r.recorder.Progressed(host, healed)
		}
		if all && !r.plan.Settle {
			return nil
		}
		r.world.Sleep(progressEvery, nil)
		r.tend()
	}
	return nil // the checkers say who did not
}

// tend does what an operator goes on doing where damage may be found at any later
// time: a copy of which clients or followers report wrong bytes is thrown away where there are
// others, a node that finds damage itself is started anew, and what was damaged is
// led by what there is.
func (r *run) tend() {
	if r.plan.CopiesLostMax == 0 {
		return
	}
	r.replaceReported()
	for _, n := range r.world.Nodes() {
		select {
		case <-n.Lacking():
			fault.Renew(r.world, n)
			if r.world.Await(n.Ready(), startMax) {
				r.electUnclean(n, nil)
			}
		default:
		}
	}
}

// progressEvery is how often the runner looks whether all clients got on.
const progressEvery = 100 * time.Millisecond

// quiet ends the clients.
func (r *run) quiet() error {
	r.endStop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.wg.Wait()
	}()
	if !r.world.Await(ended, returnMax) {
		return broken("clients do not end within %v", returnMax)
	}
	r.world.Sleep(quietFor, nil)
	return nil
}

// finish reads everything, stops the nodes, and counts what is left.
func (r *run) finish() error {
	if err := workload.FinalReads(r.env(adminName, nil), nil, finalMax, r.replaceReported); err != nil {
		return broken("final reads: %w", err)
	}
	if err := r.stopAll(); err != nil {
		return broken("clean stop: %w", err)
	}
	if len(r.world.Nodes()) > 1 {
		r.scan(true)
	}
	r.world.Sleep(settleFor, nil)
	if r.o.Goroutines() > r.goroutines {
		r.traceWaiting("left")
	}
	for _, n := range r.world.Nodes() {
		r.recorder.Event(history.Event{Kind: history.EventCleanStop, Node: n.ID, Left: r.left()})
	}
	return nil
}

// stopAll asks all nodes to stop, at once, and waits for them: the last of a
// cluster finds no controller any more.
func (r *run) stopAll() error {
	nodes := r.world.Nodes()
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Add(1)
		go func() {
			defer wg.Done()
			errs[i] = n.Stop(stopMax)
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

// traceWaiting has a lane of the trace say where each goroutine waits.
func (r *run) traceWaiting(lane string) {
	for _, name := range waiting() {
		r.trace(lane, name)
	}
}

// left counts what should be gone when all is stopped.
func (r *run) left() []history.Leftover {
	return append([]history.Leftover{
		{What: "goroutines", Count: int64(r.o.Goroutines()), Allowed: int64(r.goroutines)},
		{What: "connections", Count: int64(r.world.Fabric.Open())},
	}, r.leftovers...)
}

// judge says what only the run itself can know.
func (r *run) judge() error {
	if failures := r.recorder.Failures(); len(failures) > 0 {
		return broken("%d failures, the first: %s", r.recorder.Counts().Failures, failures[0])
	}
	for _, name := range r.plan.Demands {
		if r.world.Marks.Fired(name) == 0 {
			return broken("%s never hit anything", name)
		}
	}
	return nil
}

func (r *run) done() Done {
	counts := r.recorder.Counts()
	d := Done{
		VirtualNs: r.recorder.Now(), Events: r.meter.Events(), Faults: r.world.Struck(), Ops: counts.Ops, Acked: counts.OK,
		Marks: map[string]int64{}, Reads: r.meter.Reads(),
	}
	for _, m := range r.world.Marks.All() {
		d.Marks[m.Name] = m.Fired
	}
	return d
}
