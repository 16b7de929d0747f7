package logdir

import (
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/simfs"
	"github.com/moldau/moldau/internal/simcore"
)

// TestCutOfADamagedLog: where batches say nothing of where a log is to be cut, that
// log alone leaves service, and the next start calls it damaged.
func TestCutOfADamagedLog(t *testing.T) {
	defer goleak.VerifyNone(t)
	for name, rot := range map[string]struct {
		batch int // which is rotten
		at    int64
		raw   []byte
	}{
		"the batch that is cut begins at 2^40": {1, 0, []byte{0, 0, 1}},
		"it has no magic":                      {1, 16, []byte{9}},
		"one below it begins at 2^40":          {0, 0, []byte{0, 0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, memfs.New(), nil)
			w.open()
			w.create(2, syncOptions())
			l, other := w.logs[0], w.logs[1]
			for range 3 {
				l.append(2, 50)
				other.append(2, 50)
			}
			l.awaitDurable()
			other.awaitDurable()
			f, err := w.fs.Open(testRoot + "/t0-0/" + seglog.FileName(0, seglog.LogSuffix))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt(rot.raw, rot.at+int64(rot.batch*len(l.history[0].data))); err != nil {
				t.Fatal(err)
			}
			if l.cut(seglog.Op{Kind: seglog.OpTruncate, Offset: 3}, 3) {
				t.Fatalf("cut to %+v", l.last)
			}
			if !errors.Is(l.failed.Err, ErrCorrupt) || l.failed.Class != seglog.ClassOffline {
				t.Errorf("failed by %+v", l.failed)
			}
			other.truncate(2)
			other.append(2, 50)
			other.awaitDurable()
			if other.failed != nil || w.d.Err() != nil {
				t.Errorf("another log: %+v, the directory: %v", other.failed, w.d.Err())
			}
			if err := w.d.Close(true, 0); err != nil {
				t.Fatal(err)
			}
			n, states := reopen(t, w)
			if st := states[l.id]; standing(st) != seglog.Damaged {
				t.Errorf("after the start it is %s", standing(st))
			}
			if st := states[other.id]; standing(st) != seglog.Intact || st.End != other.log.Next() {
				t.Errorf("after the start the other is %s and ends at %d", standing(st), st.End)
			}
			if err := n.d.Close(false, 0); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestCutReadsAgain: a read that was wrong once is no damage, and cuts nothing else.
func TestCutReadsAgain(t *testing.T) {
	defer goleak.VerifyNone(t)
	flips := int64(0)
	for seed := range uint64(100) {
		marks := simcore.NewMarks(nil)
		disk := simfs.New(simfs.Config{Node: "n", Timebase: simcore.ProcessTime{}, Streams: simcore.NewStreams(seed), Marks: marks})
		w := newWorld(t, disk.Mount(nil), nil)
		w.open()
		w.create(1, syncOptions())
		l := w.logs[0]
		for range 3 {
			l.append(2, 50)
		}
		l.awaitDurable()
		disk.Once(simfs.FlipOnRead, func(name string) bool { return strings.HasSuffix(name, seglog.LogSuffix) })
		l.truncate(4)
		if l.failed != nil || l.log.Next() != 4 {
			t.Errorf("seed %d: failed %+v, the log ends at %d", seed, l.failed, l.log.Next())
		}
		flips += marks.Fired("disk.flip")
		if err := w.d.Close(false, 0); err != nil {
			t.Fatal(err)
		}
	}
	if flips == 0 {
		t.Error("no read was wrong")
	}
}
