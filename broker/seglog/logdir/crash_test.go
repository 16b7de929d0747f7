package logdir

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
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
// changes something, what has been promised so far is noted and a crash clone
// is taken. Every clone is recovered and held against its promises.

// debugCrashes makes a failed check say what the clone held.
const debugCrashes = false

// promise is what one partition's replica may rely on at a moment.
type promise struct {
	topic   string
	id      kafka.TopicPartition
	durable int64
	start   int64
	quiet   bool      // everything ordered is durable and answered
	history []batchAt // of the log as ordered
	gone    bool      // its deletion began
}

// point is a crash: what was left, and what had been promised.
type point struct {
	fs       *memfs.FS
	promises []promise
	clean    int64 // broker epoch of a clean stop that had returned; -1 none
	running  bool  // Open had returned and Close had not begun
	call     memfs.Call
	before   *memfs.FS // a copy, if asked for
}

// crasher takes the clones.
type crasher struct {
	mu       sync.Mutex
	rng      *rand.Rand
	share    float64 // of the calls
	points   []point
	promises func() []promise
	clean    int64
	running  bool
	// versions are all batches that were ever ordered, by partition and offset.
	versions map[kafka.TopicPartition]map[int64][][]byte
	leaveOut func(syncPromise) bool
	inside   int // crashes within one recovery, at most
}

func (c *crasher) hook(fsys *memfs.FS) func(memfs.Call) error {
	return func(call memfs.Call) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.rng.Float64() < c.share {
			promises := c.promises() // before the clone: more may be promised meanwhile
			c.points = append(c.points, point{
				fs: fsys.CrashClone(c.rng), promises: promises, clean: c.clean, running: c.running, call: call,
			})
		}
		return nil
	}
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
			topic: l.topic, id: l.id, durable: l.durable, start: l.startDone, gone: l.deleted,
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
	var inside []*memfs.FS
	pt.fs.OnCall(func(memfs.Call) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(inside) < c.inside && c.rng.IntN(3) == 0 {
			inside = append(inside, pt.fs.CrashClone(c.rng))
		}
		return nil
	})
	first := c.open(pt, add)
	pt.fs.OnCall(nil)
	if first == nil {
		return problems
	}
	if c.inside > 0 {
		inside = append(inside, pt.fs.CrashClone(c.rng))
	}
	c.checkInside(inside, first.Recovered(), add)
	ends := map[kafka.TopicPartition]seglog.State{}
	for _, r := range first.Recovered() {
		if r.Err != nil {
			continue
		}
		ends[r.ID] = r.State
	}
	if err := first.Close(c.rng.IntN(2) == 0, 99); err != nil {
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
		JournalBytes: 2 * journalBlockBytesMin, JournalBlockBytes: journalBlockBytesMin, RecoveryLanes: 2,
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
	case verdict == seglog.Doubtful && pr.quiet:
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
	share   float64
	leave   syncPromise // left out; promiseCount: none
	kills   bool        // processes die and come back
	partial bool        // few partitions a step
}

func newCrashRun(t testing.TB, seed uint64, wl workload) *crashRun {
	r := &crashRun{rng: rand.New(rand.NewPCG(seed, 1)), fs: memfs.New()}
	r.c = &crasher{
		rng: rand.New(rand.NewPCG(seed, 2)), share: wl.share, clean: -1,
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

// run carries the workload out and returns the crash points.
func (r *crashRun) run(wl workload) []point {
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
		if wl.kills && step%20 == 19 {
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
	// The last point: everything is quiet.
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	for range 3 {
		r.c.points = append(r.c.points, point{fs: r.fs.CrashClone(r.c.rng), promises: w.promises(), clean: 5, call: memfs.Call{Op: "end"}})
	}
	return r.c.points
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
		r.c.mu.Lock()
		r.c.points = append(r.c.points, point{fs: r.fs.CrashClone(r.c.rng), promises: w.promises(), clean: 3, call: memfs.Call{Op: "closed"}})
		r.c.mu.Unlock()
		r.c.set(-1, false)
	} else {
		w.settleWritten()
		w.freeze(true)
		dead := r.fs
		dead.OnCall(nil)
		r.fs = dead.Clone()
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

func TestCrashClones(t *testing.T) {
	seeds, steps := uint64(4), 80
	if testing.Short() {
		seeds, steps = 1, 60
	}
	for _, direct := range []int{-1, 1, 100} {
		for seed := range seeds {
			wl := workload{direct: direct, steps: steps, share: 0.4, leave: promiseCount, kills: seed%2 == 1, partial: seed%2 == 0}
			t.Run(fmt.Sprintf("direct %d/seed %d", direct, seed), func(t *testing.T) {
				r := newCrashRun(t, seed, wl)
				points := r.run(wl)
				doubtful := 0
				for i := range points {
					r.c.inside = max(0, 3-3*(i%8)) // every eighth recovery is interrupted itself
					if problems := r.c.check(&points[i]); len(problems) > 0 {
						for _, p := range problems {
							t.Error(p)
						}
						if i > 0 && t.Failed() {
							t.Fatalf("point %d of %d", i, len(points))
						}
					}
				}
				t.Logf("%d crashes, %d in doubt, %d batches", len(points), doubtful, len(slices.Collect(maps.Keys(r.c.versions))))
			})
		}
	}
}
