package logdir

import (
	"testing"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// TestLogStartOfTheCheckpoint: after a clean stop Kafka's checkpoint may raise
// the log start, but one that no part of the log comes to deletes nothing.
func TestLogStartOfTheCheckpoint(t *testing.T) {
	for start, want := range map[int64]int64{5: 5, 30: 30, 31: 0, 99_999: 0} {
		w := newWorld(t, memfs.New(), nil)
		w.open()
		w.create(1, syncOptions())
		l := w.logs[0]
		for range 30 {
			l.append(1, 100)
		}
		l.awaitDurable()
		if err := w.d.Close(true, 7); err != nil {
			t.Fatal(err)
		}
		b := seglog.EncodeOffsets([]seglog.OffsetEntry{{Topic: l.topic, Offset: start}})
		if err := vfs.ReplaceFile(w.fs, testRoot, seglog.LogStartFile, b); err != nil {
			t.Fatal(err)
		}
		n, states := reopen(t, w)
		st := states[l.id]
		if st.LogStart != want || st.End != 30 {
			t.Errorf("checkpoint %d: the log is %d to %d, want %d to 30", start, st.LogStart, st.End, want)
		}
		if err := n.logs[0].verify(n.logs[0].p, want, 30, l.history); err != nil {
			t.Errorf("checkpoint %d: %v", start, err)
		}
	}
}

// TestRemovedDirectoryIsNotMadeAgain: a directory that is removed while it is in
// use goes offline at the next folder to make, before anything more is acked.
func TestRemovedDirectoryIsNotMadeAgain(t *testing.T) {
	w := newWorld(t, memfs.New(), nil)
	w.open()
	w.create(1, syncOptions())
	if err := w.fs.RemoveAll(testRoot); err != nil {
		t.Fatal(err)
	}
	spec := Spec{Topic: "late", ID: kafka.TopicPartition{Topic: topicID(9)}, Options: syncOptions()}
	if _, err := w.d.Create([]Spec{spec}); err == nil || w.d.Err() == nil {
		t.Errorf("create: %v; the directory: %v", err, w.d.Err())
	}
	if list, err := w.fs.List(testRoot); err == nil {
		t.Errorf("the directory is back with %v", list)
	}
	_ = w.d.Close(false, 0)
}
