package explore

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/moldau/moldau/internal/invariant"
)

// Options bound a search.
type Options struct {
	// Workers is how many processors it uses; 0 means 1, with which the same
	// counterexample is found every time.
	Workers int
	// StatesMax ends the search; 0 means 1<<62.
	StatesMax int
	// DepthMax is how many steps a history has at most, beside the prefix; 0 for no bound.
	DepthMax int
	// ProbeEvery is how many states there are to one that is healed, to see
	// that it comes to rest as it should; 0 for none.
	ProbeEvery int
	// Stop is asked at times whether to end the search; it may be nil.
	Stop func() bool
	// Progress is told after each level of the search; it may be nil.
	Progress func(Result)
}

// Result is what a search found.
type Result struct {
	World    string
	States   int
	Depth    int // of the last level that is complete
	Frontier int // states of that level
	// Complete: every state within the budgets was visited.
	Complete bool
	Probed   int
	// Parts are how many brokers, controllers and pasts the states are made of.
	Parts [3]int
	// Wrong is what was found against the contract, "" for nothing; Steps is how
	// it comes about, Trace the same with the state after each step.
	Wrong string
	Steps []string
	Trace string
}

// search is one search under way.
type search struct {
	w      *World
	t      *tables
	st     store
	first  ref // the state after the prefix
	o      Options
	work   atomic.Int64 // the next batch of the level
	stop   atomic.Bool
	added  atomic.Int64
	probed atomic.Int64

	mu    sync.Mutex
	found *finding
}

// finding is what is wrong, at a state or on a step from it.
type finding struct {
	wrong string
	at    ref
	by    step
	onto  bool // by counts
}

// levelBatch is how many states of a level a worker takes at a time.
const levelBatch = 64

// Explore searches a world breadth-first.
func Explore(w World, o Options) Result {
	w.fill()
	if o.Workers < 1 {
		o.Workers = 1
	}
	if o.StatesMax <= 0 {
		o.StatesMax = 1 << 62
	}
	s := &search{w: &w, t: new(tables), o: o}
	workers := make([]*worker, o.Workers)
	for i := range workers {
		workers[i] = newWorker(s.w, s.t)
	}
	r := Result{World: w.Name}
	begin, steps, wrong := workers[0].script(w.Prefix)
	if wrong != "" {
		r.Wrong, r.Steps = wrong, steps
		r.Trace = workers[0].trace(steps)
		return r
	}
	s.st.add(begin, 0, 0)
	s.first = ref(begin.hash() >> (64 - shardBits) << placeBits)
	var done [shards]uint32
	for {
		level := s.level(done)
		if len(level) == 0 {
			r.Complete = s.found == nil
			break
		}
		counts, _ := s.st.counts()
		s.expand(workers, level)
		done = counts
		s.fillResult(&r)
		if s.found != nil || s.stop.Load() {
			break
		}
		r.Depth++
		_, total := s.st.counts()
		n := 0
		for i := range counts {
			n += int(counts[i])
		}
		r.Frontier = total - n
		if o.Progress != nil {
			o.Progress(r)
		}
		if o.DepthMax > 0 && r.Depth >= o.DepthMax {
			break
		}
	}
	s.fillResult(&r)
	if f := s.found; f != nil {
		r.Wrong = f.wrong
		r.Steps = append(steps, s.history(f)...)
		r.Trace = workers[0].trace(r.Steps)
	}
	return r
}

// fill gives what was left out its usual value.
func (w *World) fill() {
	if w.MinISR == 0 {
		w.MinISR = 2
	}
	if len(w.ISR) == 0 {
		w.ISR = []int{0, 1}
	}
	if len(w.Order) == 0 {
		w.Order = []int{0, 1, 2}
	}
	for _, n := range []int{w.Appends, w.Crashes, w.Fences, w.Alters, w.Held, w.Rots, w.Replaced, w.Lags, w.Deletes, w.Operator} {
		invariant.Check(n >= 0 && n < 16, "a budget of %d", n)
	}
}

func (s *search) fillResult(r *Result) {
	_, r.States = s.st.counts()
	r.Probed = int(s.probed.Load())
	r.Parts = [3]int{s.t.brokers.len(), s.t.controls.len(), s.t.pasts.len()}
}

// span is a part of a level: places of a shard.
type span struct {
	shard    uint32
	from, to uint32
}

// level is what was added since done.
func (s *search) level(done [shards]uint32) (list []span) {
	counts, _ := s.st.counts()
	for i := range counts {
		for from := done[i]; from < counts[i]; from += levelBatch {
			list = append(list, span{uint32(i), from, min(from+levelBatch, counts[i])})
		}
	}
	return list
}

// expand makes all steps from all states of a level.
func (s *search) expand(workers []*worker, level []span) {
	s.work.Store(0)
	var wg sync.WaitGroup
	for _, x := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for !s.stop.Load() {
				i := s.work.Add(1) - 1
				if i >= int64(len(level)) {
					return
				}
				s.expandSpan(x, level[i])
				if s.o.Stop != nil && i%16 == 0 && s.o.Stop() || s.added.Load() > int64(s.o.StatesMax) {
					s.stop.Store(true)
				}
			}
		}()
	}
	wg.Wait()
}

func (s *search) expandSpan(x *worker, at span) {
	for place := at.from; place < at.to; place++ {
		r := ref(at.shard<<placeBits | place)
		from := s.copyOf(r)
		if x.void(&from) {
			continue
		}
		if s.o.ProbeEvery > 0 && from.hash()%uint64(s.o.ProbeEvery) == 0 {
			s.probed.Add(1)
			if wrong := x.probe(from); wrong != "" {
				s.report(finding{wrong: wrong, at: r})
				return
			}
		}
		stop := false
		x.steps(&from, func(by step) {
			if stop {
				return
			}
			to, wrong, ok := x.next(from, by)
			switch {
			case !ok:
			case wrong != "":
				if !x.void(&to) {
					s.report(finding{wrong: wrong, at: r, by: by, onto: true})
					stop = true
				}
			case to != from && x.within(&to) && s.st.add(to, r, by):
				s.added.Add(1)
			}
		})
		if stop {
			return
		}
	}
}

// copyOf is the state of a name, while others add.
func (s *search) copyOf(r ref) state {
	sh := &s.st.shards[r.shard()]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.at(r.place()).state
}

// report keeps the first finding and ends the search.
func (s *search) report(f finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.found == nil {
		s.found = &f
	}
	s.stop.Store(true)
}

// history is the steps to a finding.
func (s *search) history(f *finding) (steps []string) {
	if f.onto {
		steps = append(steps, f.by.String())
	}
	for r := f.at; r != s.first; r = s.st.node(r).parent {
		steps = append(steps, s.st.node(r).step.String())
	}
	for i, j := 0, len(steps)-1; i < j; i, j = i+1, j-1 {
		steps[i], steps[j] = steps[j], steps[i]
	}
	return steps
}

// String is how a step is written in scripts: "fetch B", "crash A 1 torn".
func (s step) String() string {
	k, i, n := s.kind(), s.broker(), s.number()
	switch k {
	case stepCrash:
		text := fmt.Sprintf("crash %s %d", name(i), n/2)
		if n%2 != 0 {
			text += " torn"
		}
		return text
	case stepDeliver, stepSetMinISR:
		return fmt.Sprintf("%s %d", stepNames[k], n)
	case stepElect, stepElectUnclean:
		return stepNames[k]
	}
	return stepNames[k] + " " + name(i)
}
