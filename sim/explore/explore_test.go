package explore

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// The small worlds keep the contract, as far as a short search sees. The long
// one is make explore.
func TestSmallWorlds(t *testing.T) {
	states := 50_000
	if testing.Short() {
		states = 20_000
	}
	for _, w := range Small() {
		t.Run(w.Name, func(t *testing.T) {
			r := Explore(w, Options{StatesMax: states, ProbeEvery: 64})
			t.Logf("%d states, depth %d, complete %t, %d healed", r.States, r.Depth, r.Complete, r.Probed)
			if r.Wrong != "" {
				t.Fatalf("%s, after %d steps:\n%s", r.Wrong, len(r.Steps), r.Trace)
			}
		})
	}
}

// Two ways to the same state have the same future: a walk whose states are made
// of parts that other walks came to, and of remembered outcomes, goes the same
// way as one that carries its own machines along.
func TestEqualEncodingsHaveEqualFutures(t *testing.T) {
	for _, w := range append(Small(), World{Name: "much", Appends: 3, Crashes: 3, Epochs: 6, Fences: 3, Alters: 3, Held: 2, Lags: 1, Torn: true, Reports: true}) {
		w.fill()
		shared := newWorker(&w, new(tables))
		for seed := range uint64(120) {
			rng := rand.New(rand.NewPCG(seed, 1))
			own := newWorker(&w, new(tables))
			own.forget = true
			own.t.controls.fresh, own.t.brokers.fresh, own.t.pasts.fresh, own.t.helds.fresh = true, true, true, true
			s, o := shared.initial(), own.initial()
			for range 40 {
				var all []step
				shared.steps(&s, func(by step) { all = append(all, by) })
				by := all[rng.IntN(len(all))]
				a, wrongA, okA := shared.next(s, by)
				b, wrongB, okB := own.next(o, by)
				if okA != okB || wrongA != wrongB || okA && !bytes.Equal(shared.encode(&a), own.encode(&b)) {
					t.Fatalf("%s, seed %d: %q from\n%s\nleads, shared, to\n%s %q %t\nand alone to\n%s %q %t",
						w.Name, seed, by, shared.describe(&s), shared.describe(&a), wrongA, okA, own.describe(&b), wrongB, okB)
				}
				if okA && wrongA == "" && shared.within(&a) {
					s, o = a, b
				}
			}
		}
	}
}

// encode is a state but for what is spent: that goes by the numbers of parts.
func (x *worker) encode(s *state) []byte {
	b := append([]byte(nil), x.t.controls.get(s.control).key...)
	for i := range Brokers {
		b = x.t.brokers.get(s.brokers[i]).encode(b)
	}
	return x.t.helds.get(s.held).encode(x.t.pasts.get(s.past).encode(b))
}

// A step is read as it is written.
func TestSteps(t *testing.T) {
	for k := range stepKinds {
		for i := range Brokers {
			s := makeStep(k, i, 0)
			switch k {
			case stepElect, stepElectUnclean, stepDeliver, stepSetMinISR:
				s = makeStep(k, 0, 0)
			case stepCrash:
				s = makeStep(k, i, 2*i+1)
			}
			if got, err := parseStep(s.String()); err != nil || got != s {
				t.Errorf("%q is read as %q, %v", s, got, err)
			}
		}
	}
	for _, text := range []string{"", "append", "append D", "crash A", "crash A x", "deliver", "fly A", "deliver -1"} {
		if s, err := parseStep(text); err == nil {
			t.Errorf("%q is read as %q", text, s)
		}
	}
}

// What cannot happen ends a script, and says so.
func TestScript(t *testing.T) {
	w := World{Appends: 1, Crashes: 1, Epochs: 1}
	w.fill()
	x := newWorker(&w, new(tables))
	if _, steps, wrong := x.script("append A; sync A\nfetch B"); wrong != "" || len(steps) != 3 {
		t.Errorf("%q after %q", wrong, steps)
	}
	if _, _, wrong := x.script("append B"); !strings.Contains(wrong, "not possible") {
		t.Errorf("an append by a follower: %q", wrong)
	}
	if _, _, wrong := x.script("append"); wrong == "" {
		t.Error("an append by nobody")
	}
}

// The store finds what was put in, and keeps each state once.
func TestStore(t *testing.T) {
	st := new(store)
	for round := range 2 {
		for i := range uint32(10_000) {
			s := state{control: i % 7, past: i, spent: spent(i) << 40}
			if added := st.add(s, 0, step(i)); added != (round == 0) {
				t.Fatalf("state %d in round %d: added %t", i, round, added)
			}
		}
	}
	if _, n := st.counts(); n != 10_000 {
		t.Errorf("%d states", n)
	}
}
