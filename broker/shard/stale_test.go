package shard

import "testing"

// TestStaleWatchIsDropped: a watch that an earlier fetch of the connection has
// left behind neither counts for the next one nor wakes it.
func TestStaleWatchIsDropped(t *testing.T) {
	w := NewFetchWait()
	w.Arm(1, 10)
	h := &Handle{watchers: []watcher{{wait: w, use: w.use.Load()}}}
	w.Arm(1, 10)
	h.grown() // without a machine: it would be asked for a watch that counts
	if len(h.watchers) != 0 || w.Grown() || w.sum.Load() != 0 {
		t.Errorf("%d watches left, grown %v, sum %d", len(h.watchers), w.Grown(), w.sum.Load())
	}
}
