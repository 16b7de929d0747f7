package logdir

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// The crash-clone test: a workload runs on memfs; before every call that
// changes something (write, sync, rename, truncate, unlink, directory sync and
// so on), what has been promised so far is noted and crash clones are taken.
// Every clone is recovered and held against its promises while the workload goes on.

// debugCrashes makes a failed check say what the clone held.
const debugCrashes = false

// promise is what one partition's replica may rely on at a moment.
type promise struct {
	topic   string
	id      kafka.TopicPartition
	durable int64
	start   int64
	since   int64     // whoever wrote from here on is known
	quiet   bool      // everything ordered is durable and answered
	history []batchAt // of the log as ordered
	gone    bool      // its deletion began
}

// point is a crash: what was left, and what had been promised.
type point struct {
	nth      int
	rng      *rand.Rand // its recovery's
	fs       *memfs.FS
	promises []promise
	clean    int64 // broker epoch of a clean stop that had returned; -1 none
	running  bool  // Open had returned and Close had not begun
	call     memfs.Call
	before   *memfs.FS // a copy, if asked for
}

// crasher takes the clones, and has them checked by goroutines of its own.
type crasher struct {
	mu       sync.Mutex
	rng      *rand.Rand
	seed     uint64
	draws    int // clones of each call: what survives is drawn anew for each
	promises func() []promise
	clean    int64
	running  bool
	taken    int
	ops      map[memfs.Op]int // calls before which clones were taken
	problems []string         // of the first clone that has any
	doubtful int              // replicas in doubt
	// versions are all batches that were ever ordered, by partition and offset.
	versions map[kafka.TopicPartition]map[int64][][]byte
	leaveOut func(syncPromise) bool
	inside   func(nth int) int // crashes within one recovery, at most

	points   chan *point
	checkers sync.WaitGroup
}

// begin starts the checkers.
func (c *crasher) begin() {
	c.points = make(chan *point, crashPointsMax)
	for range runtime.GOMAXPROCS(0) {
		c.checkers.Add(1)
		go func() {
			defer c.checkers.Done()
			for pt := range c.points {
				if c.failed() {
					continue
				}
				if problems := c.check(pt); len(problems) > 0 {
					c.report(pt, problems)
				}
			}
		}()
	}
}

// crashPointsMax is how many clones wait for a checker; then the workload waits.
const crashPointsMax = 64

func (c *crasher) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.problems) > 0
}

func (c *crasher) report(pt *point, problems []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.problems) == 0 {
		c.problems = append([]string{fmt.Sprintf("crash %d:", pt.nth)}, problems...)
	}
}

// end waits for the checkers.
func (c *crasher) end() {
	close(c.points)
	c.checkers.Wait()
}

func (c *crasher) hook(fsys *memfs.FS) func(memfs.Call) error {
	return func(call memfs.Call) error {
		if call.Op != memfs.OpLock {
			c.crash(fsys, call, c.draws)
		}
		return nil
	}
}

// crash takes clones and hands them to the checkers. It waits without a lock.
func (c *crasher) crash(fsys *memfs.FS, call memfs.Call, draws int) {
	for _, pt := range c.take(fsys, call, draws) {
		c.points <- pt
	}
}

func (c *crasher) take(fsys *memfs.FS, call memfs.Call, draws int) (points []*point) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.problems) > 0 {
		return nil
	}
	c.ops[call.Op]++
	promises := c.promises() // before the clone: more may be promised meanwhile
	for range draws {
		c.taken++
		points = append(points, &point{
			nth: c.taken, rng: rand.New(rand.NewPCG(c.seed, uint64(c.taken))),
			fs: fsys.CrashClone(c.rng), promises: promises, clean: c.clean, running: c.running, call: call,
		})
	}
	return points
}

// set changes what the crasher says of the phase.
func (c *crasher) set(clean int64, running bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clean, c.running = clean, running
}

// promises notes what the world promised.
func (w *world) promises() []promise {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []promise
	for _, l := range w.logs {
		list = append(list, promise{
			topic: l.topic, id: l.id, durable: l.durable, start: l.startDone, gone: l.deleted, since: l.since,
			quiet: l.busy == 0 && l.durable == l.ordered, history: slices.Clone(l.history),
		})
	}
	return list
}

// check recovers a clone and returns what is wrong with it.
func (c *crasher) check(pt *point) (problems []string) {
	add := func(format string, args ...any) {
		problems = append(problems, fmt.Sprintf("at %s %s: ", pt.call.Op, pt.call.Name)+fmt.Sprintf(format, args...))
	}
	if debugCrashes {
		pt.before = pt.fs.Clone()
	}
	inside := insideCrashes{rng: pt.rng, most: c.inside(pt.nth)}
	pt.fs.OnCall(func(memfs.Call) error {
		inside.take(pt.fs)
		return nil
	})
	first := c.open(pt, add)
	pt.fs.OnCall(nil)
	if first == nil {
		return problems
	}
	if inside.most > 0 {
		inside.clones = append(inside.clones, pt.fs.CrashClone(pt.rng))
	}
	c.checkInside(inside.clones, first.Recovered(), add)
	ends := map[kafka.TopicPartition]seglog.State{}
	for _, r := range first.Recovered() {
		if r.Err != nil {
			continue
		}
		ends[r.ID] = r.State
	}
	if err := first.Close(pt.rng.IntN(2) == 0, 99); err != nil {
		add("close: %v", err)
		return problems
	}
	// A second recovery finds the same and forgets nothing.
	d, err := Open(c.checkConfig(pt.fs))
	if err != nil {
		add("second recovery: %v", err)
		return problems
	}
	for _, r := range d.Recovered() {
		before, ok := ends[r.ID]
		if !ok {
			continue
		}
		if r.Err != nil || r.State.End != before.End || r.State.LogStart != before.LogStart && r.Err == nil {
			add("%s: second recovery ends at %d (start %d), the first at %d (start %d)", r.Topic, r.State.End, r.State.LogStart, before.End, before.LogStart)
		}
		if got, had := standing(r.State), standing(before); got != had {
			add("%s: second recovery says %s, the first %s", r.Topic, got, had)
		}
	}
	if err := d.Close(false, 0); err != nil {
		add("close: %v", err)
	}
	return problems
}

// insideCrashes are clones of a recovery under way, before any of its calls
// with the same likelihood.
type insideCrashes struct {
	mu     sync.Mutex
	rng    *rand.Rand
	most   int
	calls  int
	clones []*memfs.FS
}

func (x *insideCrashes) take(fsys *memfs.FS) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.calls++
	if len(x.clones) < x.most {
		x.clones = append(x.clones, fsys.CrashClone(x.rng))
	} else if k := x.rng.IntN(x.calls); k < x.most {
		x.clones[k] = fsys.CrashClone(x.rng)
	}
}

// checkInside recovers what crashes within a recovery, and after it, leave: the
// log and the verdict are those of the recovery that was not interrupted.
func (c *crasher) checkInside(clones []*memfs.FS, want []Recovered, add func(string, ...any)) {
	for _, fsys := range clones {
		d, err := Open(c.checkConfig(fsys))
		if err != nil {
			add("recovery after a crash in recovery: %v", err)
			continue
		}
		got := map[string]Recovered{}
		for _, r := range d.Recovered() {
			got[r.Topic] = r
		}
		for _, w := range want {
			g := got[w.Topic]
			switch {
			case w.Err != nil:
			case g.Err != nil || g.State.End != w.State.End || g.State.LogStart != w.State.LogStart:
				add("%s: a crash in recovery leaves an end of %d (start %d), else %d (start %d)", w.Topic, g.State.End, g.State.LogStart, w.State.End, w.State.LogStart)
			case standing(g.State) != standing(w.State):
				add("%s: a crash in recovery makes it %s: %+v, else %s: %+v", w.Topic, standing(g.State), g.State.Evidence, standing(w.State), w.State.Evidence)
			}
		}
		if err := d.Close(false, 0); err != nil {
			add("close: %v", err)
		}
	}
}

func standing(st seglog.State) seglog.Standing {
	return seglog.Classify(kafka.DurabilitySync, st.Evidence)
}

func (c *crasher) checkConfig(fsys *memfs.FS) Config {
	return Config{
		leaveOut: c.leaveOut,
		FS:       fsys, Clock: manual.New(), Path: testRoot, Events: &recorder{}, lazyJournal: true,
		JournalBytes: 2 * journalBlockBytesMin, JournalBlockBytes: journalBlockBytesMin, RecoveryLanes: 2, DirectFilesMax: 1,
	}
}

// open recovers a clone and checks every partition.
func (c *crasher) open(pt *point, add func(string, ...any)) *Dir {
	d, err := Open(c.checkConfig(pt.fs))
	if err != nil {
		add("recovery: %v", err)
		return nil
	}
	if pt.clean >= 0 && d.PreviousBrokerEpoch() != pt.clean {
		add("broker epoch %d after a clean stop with %d", d.PreviousBrokerEpoch(), pt.clean)
	}
	found := map[kafka.TopicPartition]Recovered{}
	for _, r := range d.Recovered() {
		if r.Err != nil {
			c.checkNameless(pt, &r, add)
			continue
		}
		found[r.ID] = r
	}
	for i := range pt.promises {
		pr := &pt.promises[i]
		r, ok := found[pr.id]
		switch {
		case pr.gone:
		case !ok:
			add("%s is lost", pr.topic)
		default:
			c.checkPartition(d, pt, pr, &r, add)
		}
	}
	return d
}

// describe says what a clone holds of a partition, before recovery.
func (c *crasher) describe(pt *point, topic string, id kafka.TopicPartition) string {
	var b strings.Builder
	list, _ := pt.before.List(testRoot + "/" + topic + "-0")
	for _, i := range list {
		fmt.Fprintf(&b, "%s %d\n", i.Name, i.Size)
	}
	if m, err := vfs.ReadFile(pt.before, testRoot+"/"+marksFile, 1<<20); err == nil {
		h, entries, err := decodeMarks(m)
		fmt.Fprintf(&b, "marks %+v %v\n", h, err)
		if e := entries[id]; e != nil {
			fmt.Fprintf(&b, "entry S %d start %d as of %d resume %+v\n", e.synced, e.start, e.asOf, e.resume)
		}
		d := &Dir{cfg: c.checkConfig(pt.before)}
		var names []string
		root, _ := pt.before.List(testRoot)
		for _, i := range root {
			names = append(names, i.Name)
		}
		r, err := d.readJournal(names, h)
		fmt.Fprintf(&b, "journal sequence %d all %t %v\n", r.sequence, r.all, err)
		for _, it := range r.items[id] {
			fmt.Fprintf(&b, "  %d: kind %d segment %d position %d offsets %d-%d offset %d\n", it.sequence, it.kind, it.segment, it.position, it.first, it.last, it.offset)
		}
	}
	return b.String()
}

// checkNameless allows a folder without metadata only while it is being made.
func (c *crasher) checkNameless(pt *point, r *Recovered, add func(string, ...any)) {
	for i := range pt.promises {
		if pt.promises[i].topic == r.Topic && !pt.promises[i].gone {
			add("%s: %v", r.Topic, r.Err)
		}
	}
}

func (c *crasher) checkPartition(d *Dir, pt *point, pr *promise, r *Recovered, add func(string, ...any)) {
	st := r.State
	verdict := standing(st)
	switch {
	case verdict == seglog.Damaged:
		add("%s is damaged: %+v", pr.topic, st.Evidence)
		if debugCrashes {
			add("%s", c.describe(pt, pr.topic, pr.id))
		}
	case verdict == seglog.Doubtful && !pr.quiet:
		c.mu.Lock()
		c.doubtful++
		c.mu.Unlock()
	case verdict == seglog.Doubtful:
		add("%s is in doubt though nothing was under way: %+v", pr.topic, st.Evidence)
	case pt.running && st.Evidence.Clean:
		add("%s: an unclean stop counts as clean", pr.topic)
	}
	if st.End < pr.durable {
		add("%s ends at %d, durable were %d: %+v", pr.topic, st.End, pr.durable, st.Evidence)
	}
	if st.LogStart < pr.start {
		add("%s starts at %d, %d was promised", pr.topic, st.LogStart, pr.start)
	}
	if err := pr.producersKnown(st.Producers); err != nil {
		add("%s (from %d): %v", pr.topic, st.LogStart, err)
		if debugCrashes {
			add("%s", c.describe(pt, pr.topic, pr.id))
		}
	}
	p, _, err := d.Adopt(r.ID, syncOptions())
	if err != nil {
		add("%s: %v", pr.topic, err)
		return
	}
	if err := verifyLog(p, st.LogStart, min(st.End, pr.durable), pr.history); err != nil {
		add("%s: %v", pr.topic, err)
	}
	if err := c.walk(p, &st); err != nil {
		add("%s: %v", pr.topic, err)
	}
}

// producersKnown: a durable batch that comes again is not appended twice, though
// its records are deleted.
func (pr *promise) producersKnown(entries []seglog.ProducerEntry) error {
	known := map[int64]int64{}
	for i := range entries {
		known[entries[i].ProducerID] = entries[i].LastOffset
	}
	for _, b := range pr.history {
		if b.first < pr.since || b.last >= pr.durable {
			continue
		}
		if last, ok := known[producerAt(b.first)]; !ok || last < b.last {
			return fmt.Errorf("producer %d wrote %d to %d: known is %d, %t", producerAt(b.first), b.first, b.last, last, ok)
		}
	}
	return nil
}

// walk reads the whole log: whole batches, contiguous, epochs that never fall,
// none of which was never ordered.
func (c *crasher) walk(p *Partition, st *seglog.State) error {
	next, epoch := int64(-1), int32(-1)
	for from := st.LogStart; from < st.End; {
		e, err := p.Read(seglog.ReadPlan{From: from, UpTo: st.End, MaxBytes: 1 << 20, Start: seglog.Unknown(), End: seglog.Unknown()})
		if err != nil || e == nil {
			return fmt.Errorf("read at %d of %d: %v", from, st.End, err)
		}
		b := make([]byte, e.Len)
		_, err = e.File.ReadAt(b, e.Off)
		e.Release()
		if err != nil {
			return err
		}
		for len(b) > 0 {
			h, bytes, rest, err := batch.Next(b)
			if err == nil {
				err = batch.CheckCRC(bytes)
			}
			switch {
			case err != nil:
				return err
			case next >= 0 && h.BaseOffset != next:
				return fmt.Errorf("batch at %d, want %d", h.BaseOffset, next)
			case h.LeaderEpoch < epoch:
				return fmt.Errorf("batch at %d has epoch %d after %d", h.BaseOffset, h.LeaderEpoch, epoch)
			case !c.known(p.id, h.BaseOffset, bytes):
				return fmt.Errorf("batch at %d was never written", h.BaseOffset)
			}
			next, epoch, b = h.NextOffset(), h.LeaderEpoch, rest
		}
		from = next
	}
	if next >= 0 && next != st.End {
		return fmt.Errorf("batches end at %d, the log at %d", next, st.End)
	}
	return nil
}

func (c *crasher) known(id kafka.TopicPartition, offset int64, b []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.versions[id][offset], func(v []byte) bool { return bytes.Equal(v, b) })
}

// crashRun is one workload with its crashes.
type crashRun struct {
	rng *rand.Rand
	fs  *memfs.FS
	c   *crasher
	w   *world
}

// workload says how a run behaves.
type workload struct {
	direct  int // Config.DirectFilesMax
	steps   int
	draws   int         // clones of each call
	leave   syncPromise // left out; promiseCount: none
	kills   bool        // processes die and come back, now and then cleanly
	often   bool        // they die every few steps
	partial bool        // few partitions a step
}

func newCrashRun(t testing.TB, seed uint64, wl workload) *crashRun {
	r := &crashRun{rng: rand.New(rand.NewPCG(seed, 1)), fs: memfs.New()}
	r.c = &crasher{
		rng: rand.New(rand.NewPCG(seed, 2)), seed: seed, draws: wl.draws, clean: -1,
		ops: map[memfs.Op]int{}, inside: func(nth int) int { return insideOf(wl.leave, nth) },
		versions: map[kafka.TopicPartition]map[int64][][]byte{},
	}
	r.w = newWorld(t, r.fs, func(c *Config) {
		c.DirectFilesMax = wl.direct
		if wl.leave < promiseCount {
			c.leaveOut = func(p syncPromise) bool { return p == wl.leave }
			r.c.leaveOut = c.leaveOut
		}
	})
	r.w.onBatch = func(l *testLog, offset int64, data []byte) {
		r.c.mu.Lock()
		defer r.c.mu.Unlock()
		m := r.c.versions[l.id]
		if m == nil {
			m = map[int64][][]byte{}
			r.c.versions[l.id] = m
		}
		m[offset] = append(m[offset], data)
	}
	return r
}

// run carries the workload out and returns what is wrong with the first clone
// that recovered to anything else than it should.
func (r *crashRun) run(wl workload) []string {
	r.c.begin()
	func() {
		defer r.c.end() // also where the workload fails
		r.work(wl)
	}()
	return r.c.problems
}

// work is the workload.
func (r *crashRun) work(wl workload) {
	w := r.w
	if err := r.fs.MkdirAll(testRoot); err != nil {
		w.t.Fatal(err)
	}
	if err := r.fs.SyncDir("/"); err != nil {
		w.t.Fatal(err)
	}
	r.c.promises = w.promises
	r.fs.OnCall(r.c.hook(r.fs))
	w.open()
	r.c.set(-1, true)
	w.create(3, syncOptions())
	for step := range wl.steps {
		if w.d.Err() != nil {
			w.t.Fatal(w.d.Err())
		}
		r.step(wl)
		switch {
		case wl.often && step%5 == 4:
			r.restart(false)
		case wl.kills && step%20 == 19:
			r.restart(step%40 == 39)
		}
	}
	w.settle()
	r.c.set(-1, false)
	if err := w.d.Close(true, 5); err != nil {
		w.t.Fatal(err)
	}
	r.c.set(5, false)
	r.fs.OnCall(nil)
	r.c.crash(r.fs, memfs.Call{Op: "end"}, 3) // everything is quiet
}

// step does one random thing.
func (r *crashRun) step(wl workload) {
	w := r.w
	live := slices.DeleteFunc(slices.Clone(w.logs), func(l *testLog) bool { return l.deleted })
	l := live[r.rng.IntN(len(live))]
	switch k := r.rng.IntN(20); {
	case k < 12:
		var orders []Order
		for _, l := range live {
			if !wl.partial || r.rng.IntN(3) == 0 {
				orders = append(orders, l.appendOrder(1+r.rng.IntN(3), 20+r.rng.IntN(400)))
			}
		}
		w.d.Submit(orders)
		for _, l := range live {
			l.awaitWritten()
		}
		if r.rng.IntN(2) == 0 {
			w.settle()
		}
	case k < 14:
		if end := l.log.Next(); end > l.log.LogStart() && len(l.history) > 0 {
			w.settle()
			l.truncate(l.history[max(0, len(l.history)-1-r.rng.IntN(12))].first)
		}
	case k < 15:
		w.settle()
		l.moveStart(r.rng)
	case k < 16:
		w.settle()
		if r.rng.IntN(3) == 0 {
			l.restartAt(l.log.Next() + int64(r.rng.IntN(5)))
		}
	case k < 17 && len(w.logs) < 6:
		w.create(1, syncOptions())
	case k < 18 && len(live) > 2 && r.rng.IntN(3) == 0:
		w.settle()
		l.deleteAndMaybeAgain(r.rng)
	default:
		w.clk.Advance(time.Duration(r.rng.IntN(600)) * time.Millisecond)
		w.drain()
	}
}

// restart ends the process, cleanly or by a kill that leaves the page cache
// as it is, and recovers.
func (r *crashRun) restart(clean bool) {
	w := r.w
	if clean {
		w.settle()
		r.c.set(-1, false)
		if err := w.d.Close(true, 3); err != nil {
			w.t.Fatal(err)
		}
		r.c.set(3, false)
		r.c.crash(r.fs, memfs.Call{Op: "closed"}, 1)
		r.c.set(-1, false)
	} else {
		dead := r.fs
		if r.rng.IntN(2) == 0 {
			r.fs = r.dieInTurn()
		} else {
			w.settleWritten()
			w.freeze(true)
			dead.OnCall(nil)
			r.fs = dead.Clone()
		}
		dead.OnCall(func(memfs.Call) error { return errors.New("the process is dead") })
		_ = w.d.Close(false, 0) // ends the goroutines of the dead process
		w.freeze(false)
		w.fs, w.cfg.FS = r.fs, r.fs
		r.fs.OnCall(r.c.hook(r.fs))
		r.c.set(-1, false)
	}
	d, err := Open(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.d = d
	r.c.set(-1, true)
	for _, l := range w.logs {
		if !l.deleted {
			l.adopt(d)
		}
	}
}

// changing are the calls that a clone is taken before; a workload that never
// makes one of them shows nothing of it.
var changing = []memfs.Op{
	memfs.OpCreate, memfs.OpWrite, memfs.OpTruncate, memfs.OpSync, memfs.OpRemove, memfs.OpRemoveAll,
	memfs.OpRename, memfs.OpMkdirAll, memfs.OpSyncDir,
}

// dieInTurn appends to all logs and kills the process before one of the turn's
// calls, its first sync at the latest: what it has written is in the page cache alone.
func (r *crashRun) dieInTurn() *memfs.FS {
	w := r.w
	left := make(chan *memfs.FS, 1)
	dead := false
	calls := r.rng.IntN(2 * len(w.logs))
	var mu sync.Mutex
	fsys := r.fs
	fsys.OnCall(func(call memfs.Call) error {
		mu.Lock()
		defer mu.Unlock()
		calls--
		if !dead && (calls < 0 || call.Op == memfs.OpSync) {
			dead = true
			w.freeze(true)
			left <- fsys.Clone()
		}
		if dead {
			return errors.New("the process is dead")
		}
		return nil
	})
	var orders []Order
	for _, l := range w.logs {
		if !l.deleted {
			orders = append(orders, l.appendOrder(1+r.rng.IntN(3), 20+r.rng.IntN(400)))
		}
	}
	w.d.Submit(orders)
	return <-left
}

func TestCrashClones(t *testing.T) {
	seeds := uint64(4)
	if testing.Short() {
		seeds = 2
	}
	seen, doubtful := map[memfs.Op]int{}, 0
	for _, direct := range []int{-1, 1, 100} {
		for seed := range seeds {
			wl := workload{direct: direct, steps: crashSteps, draws: 2, leave: promiseCount, kills: seed%2 == 1, often: seed%4 == 3, partial: seed%2 == 0}
			t.Run(fmt.Sprintf("direct %d/seed %d", direct, seed), func(t *testing.T) {
				r := newCrashRun(t, seed, wl)
				for _, problem := range r.run(wl) {
					t.Error(problem)
				}
				for op, n := range r.c.ops {
					seen[op] += n
				}
				doubtful += r.c.doubtful
				t.Logf("%d crashes, %d replicas in doubt", r.c.taken, r.c.doubtful)
			})
		}
	}
	for _, op := range changing {
		if seen[op] == 0 {
			t.Errorf("no crash before a call of kind %s", op)
		}
	}
	if doubtful == 0 {
		t.Error("no crash leaves a replica in doubt")
	}
	t.Logf("calls: %v; %d replicas in doubt", seen, doubtful)
}

// crashSteps is how long a workload is.
const crashSteps = 40
