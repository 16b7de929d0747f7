package logdir

import (
	"strings"
	"testing"
)

// promiseSeedsMax bounds the workloads that look for the harm of one missing sync.
const promiseSeedsMax = 12

// promiseSeedsSound is how many of the same are run with every sync in place;
// TestCrashClones runs others.
const promiseSeedsSound = 1

// TestEveryPromiseIsNeeded leaves out the syncs of one promise at a time: some
// crash must then break what was promised. A promise that can go without harm
// is none, or the crash test is blind to it.
func TestEveryPromiseIsNeeded(t *testing.T) {
	// The same workloads with every sync in place break nothing.
	for seed := range uint64(promiseSeedsSound) {
		for _, like := range []syncPromise{promiseSegment, promiseRecycleSegment, promiseKept} {
			if problem := harm(t, seed, like, promiseCount); problem != "" {
				t.Fatalf("seed %d, nothing left out: %s", seed, problem)
			}
		}
	}
	if testing.Short() {
		return
	}
	for p := range promiseCount {
		t.Run(p.String(), func(t *testing.T) {
			for seed := range uint64(promiseSeedsMax) {
				if problem := harm(t, seed, p, p); problem != "" {
					t.Logf("seed %d: %s", seed, problem)
					return
				}
			}
			t.Errorf("no crash of %d workloads misses the syncs of %q", promiseSeedsMax, p)
		})
	}
}

// harm runs the workload that suits the promise like, without the syncs of the
// promise leave, and returns the first thing that a crash breaks.
func harm(t *testing.T, seed uint64, like, leave syncPromise) string {
	wl := workload{
		direct: []int{1, -1, 100}[seed%3], steps: 80, draws: 1, leave: leave,
		kills: true, partial: seed%2 == 0,
	}
	if like == promiseRecycleSegment || like == promiseRecycleEntry {
		wl.direct, wl.steps, wl.kills = -1, 200, false // it takes a full journal
	}
	wl.often = like == promiseReplayed || like == promiseKept || like == promiseKeptBody
	r := newCrashRun(t, 1000+seed, wl)
	return strings.Join(r.run(wl), "\n")
}

// insideOf is how many crashes within a recovery are tried: verdicts are about
// nothing else.
func insideOf(leave syncPromise, i int) int {
	if leave == promiseStandingContents || leave == promiseStandingEntry || leave == promiseKeptBody || i%8 == 0 {
		return 2
	}
	return 0
}
