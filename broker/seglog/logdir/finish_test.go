package logdir

import (
	"slices"
	"testing"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// checkFinished compares what a clean stop left beside a log's last segment with
// the log: an offset index, a time index that ends with the largest timestamp, and
// the leader epochs.
func checkFinished(t *testing.T, w *world, l *testLog, epochs []seglog.EpochStart) {
	t.Helper()
	dir := testRoot + "/" + l.topic + "-0/"
	segs := l.log.Segments()
	active := segs[len(segs)-1]
	read := func(file string) []byte {
		b, err := vfs.ReadFile(w.fs, dir+file, 1<<20)
		if err != nil {
			t.Errorf("%s: %v", l.topic, err)
		}
		return b
	}
	if b := read(seglog.FileName(active.Base, seglog.IndexSuffix)); len(b) != active.IndexEntries*seglog.IndexEntryLen {
		t.Errorf("%s: the index has %d bytes, want %d entries", l.topic, len(b), active.IndexEntries)
	}
	b := read(seglog.FileName(active.Base, seglog.TimeIndexSuffix))
	want := seglog.TimeEntry{Timestamp: active.MaxTimestamp, Offset: active.MaxTimestampOffset}
	if n := len(b) / seglog.TimeEntryLen; n == 0 || seglog.TimeEntryAt(b, active.Base, n-1) != want {
		t.Errorf("%s: the last of %d entries of the time index is not %+v", l.topic, n, want)
	}
	got, err := seglog.ParseEpochs(read(seglog.LeaderEpochFile))
	if err != nil || !slices.Equal(got, epochs) {
		t.Errorf("%s: leader epochs %+v, want %+v: %v", l.topic, got, epochs, err)
	}
}

// TestStopIndexesTheLargestTimestamp: readers of the files find the largest
// timestamp in the time index, where Kafka has it, though no entry was due.
func TestStopIndexesTheLargestTimestamp(t *testing.T) {
	w, l := filledLog(t)
	segs := l.log.Segments()
	if a := segs[len(segs)-1]; a.MaxTimestamp <= a.IndexedTimestamp {
		t.Fatal("the last entry has the largest timestamp already")
	}
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
	checkFinished(t, w, l, []seglog.EpochStart{{Epoch: 0, Offset: 0}})
}

// TestStopFinishesWhatWasOnlyRecovered: after a kill, a start and a clean stop the
// files of every log are whole, though nothing was appended to it meanwhile.
func TestStopFinishesWhatWasOnlyRecovered(t *testing.T) {
	w := filled(t)
	w, states := reopen(t, w)
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
	for _, l := range w.logs {
		checkFinished(t, w, l, states[l.id].Epochs)
	}
	again(t, w, true, func(d *Dir) {
		for _, r := range d.Recovered() {
			if r.incomplete {
				t.Errorf("%s: the next stop writes all of it again", r.Topic)
			}
		}
	})
}
