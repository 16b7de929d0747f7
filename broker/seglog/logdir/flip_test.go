package logdir

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/simfs"
	"github.com/moldau/moldau/internal/simcore"
)

// TestRecoveryReadsAgainBeforeItCuts: a read that brings a wrong bit once, of
// bytes that are right on the disk, costs no record.
func TestRecoveryReadsAgainBeforeItCuts(t *testing.T) {
	defer goleak.VerifyNone(t)
	flips := int64(0)
	for seed := range uint64(300) {
		marks := simcore.NewMarks(nil)
		disk := simfs.New(simfs.Config{Node: "n", Timebase: simcore.ProcessTime{}, Streams: simcore.NewStreams(seed), Marks: marks})
		w := newWorld(t, disk.Mount(nil), nil)
		w.open()
		w.create(1, syncOptions())
		l := w.logs[0]
		for range 1 + seed%4 {
			l.append(2, 150)
		}
		l.awaitDurable()
		if err := w.d.Close(false, 0); err != nil {
			t.Fatal(err)
		}
		disk.Once(simfs.FlipOnRead, func(name string) bool { return strings.HasSuffix(name, seglog.LogSuffix) })
		n, states := reopen(t, w)
		if st := states[l.id]; standing(st) != seglog.Intact || st.End != l.log.Next() || st.Evidence.LastEpoch != l.epoch {
			t.Errorf("seed %d: the log is %s and ends at %d in epoch %d, want %d in %d", seed, standing(st), st.End, st.Evidence.LastEpoch, l.log.Next(), l.epoch)
		}
		flips += marks.Fired("disk.flip")
		if err := n.d.Close(false, 0); err != nil {
			t.Fatal(err)
		}
	}
	if flips == 0 {
		t.Error("no read was wrong")
	}
}
