package logdir

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/simfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/simcore"
)

// TestRecoveryReadsAgainBeforeItCuts: a read that brings a wrong bit once, of
// bytes that are right on the disk, costs no record.
func TestRecoveryReadsAgainBeforeItCuts(t *testing.T) {
	recoverFlipped(t, 1)
}

// TestTwoWrongReadsConfirmNothing: nor do two reads, one after the other, that
// bring different wrong bits of one batch.
func TestTwoWrongReadsConfirmNothing(t *testing.T) {
	recoverFlipped(t, 2)
}

// recoverFlipped has so many reads of a log in recovery be wrong.
func recoverFlipped(t *testing.T, wrong int) {
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
		for range wrong {
			disk.Once(simfs.FlipOnRead, func(name string) bool { return strings.HasSuffix(name, seglog.LogSuffix) })
		}
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

// TestRecoveryWritesWhatIsThere: whichever read of a log in recovery brings a wrong
// bit once, what is written again is what was on the disk.
func TestRecoveryWritesWhatIsThere(t *testing.T) {
	defer goleak.VerifyNone(t)
	for name, directFiles := range map[string]int{"synced at once": 100, "in the journal": -1} {
		t.Run(name, func(t *testing.T) {
			flips := int64(0)
			for seed := range uint64(60) {
				marks := simcore.NewMarks(nil)
				disk := simfs.New(simfs.Config{Node: "n", Timebase: simcore.ProcessTime{}, Streams: simcore.NewStreams(seed), Marks: marks})
				w := newWorld(t, disk.Mount(nil), func(c *Config) { c.DirectFilesMax = directFiles })
				w.open()
				w.create(1, syncOptions())
				l := w.logs[0]
				for range 3 {
					l.append(2, 150)
				}
				l.awaitDurable()
				if err := w.d.Close(false, 0); err != nil {
					t.Fatal(err)
				}
				file := w.d.cfg.Path + "/t0-0/" + seglog.FileName(0, seglog.LogSuffix)
				before, err := vfs.ReadFile(disk.Peek(), file, 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				reads := uint64(0)
				disk.Once(simfs.FlipOnRead, func(name string) bool {
					if strings.HasSuffix(name, seglog.LogSuffix) {
						reads++
					}
					return reads == 1+seed%6
				})
				n, _ := reopen(t, w)
				if err := n.d.Close(false, 0); err != nil {
					t.Fatal(err)
				}
				after, err := vfs.ReadFile(disk.Peek(), file, 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(before, after) {
					t.Errorf("seed %d: recovery changed the log", seed)
				}
				flips += marks.Fired("disk.flip")
			}
			if flips == 0 {
				t.Error("no read was wrong")
			}
		})
	}
}
