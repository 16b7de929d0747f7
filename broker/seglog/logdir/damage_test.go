package logdir

import (
	"errors"
	"fmt"
	"testing"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
)

// Only wrong bytes of the segment that an error names are damage.
func TestConfirm(t *testing.T) {
	w := newWorld(t, memfs.New(), nil)
	w.open()
	defer func() {
		if err := w.d.Close(false, 0); err != nil {
			t.Error(err)
		}
	}()
	w.create(1, syncOptions())
	l := w.logs[0]
	for range 20 { // several segments
		l.append(1, 300)
	}
	segs := l.p.segments()
	if len(segs) < 3 {
		t.Fatalf("%d segments", len(segs))
	}
	at := func(base int64) error { return fmt.Errorf("read: %w", inSegment(&segment{base: base}, ErrCorrupt)) }
	whole := map[string]error{
		"a segment that is whole": at(segs[1].base), "none that is there": at(segs[1].base + 1), "below all": at(-5),
		"an error without a place": ErrCorrupt, "another error": inSegment(segs[0], ErrOutOfRange),
	}
	for name, err := range whole {
		if got := l.p.Confirm(err); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	// a read of everything in one segment
	plan := func(i int) seglog.ReadPlan {
		return seglog.ReadPlan{From: segs[i].base, UpTo: segs[i+1].base, MaxBytes: 1 << 20, Start: seglog.Unknown(), End: seglog.Unknown()}
	}
	if err := l.p.Verify(plan(0)); err != nil {
		t.Errorf("batches that are whole: %v", err)
	}
	f, err := w.fs.Open(l.p.path() + "/" + seglog.FileName(segs[0].base, seglog.LogSuffix))
	if err == nil {
		_, err = f.WriteAt([]byte{0xff}, segs[0].size.Load()-1) // a record's last byte
	}
	if err = firstError(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	if got := l.p.Confirm(at(segs[0].base)); !errors.Is(got, ErrCorrupt) {
		t.Errorf("a segment with a wrong byte: %v", got)
	}
	if got := l.p.Confirm(at(segs[1].base)); got != nil {
		t.Errorf("the one after it: %v", got)
	}
	if got := l.p.Verify(plan(0)); l.p.Confirm(got) == nil {
		t.Errorf("batches with a wrong byte: %v, which is not confirmed", got)
	}
	if got := l.p.Verify(plan(1)); got != nil {
		t.Errorf("those after it: %v", got)
	}
	first := plan(0)
	first.MaxBytes, first.AtLeastOne = 1, true
	if got := l.p.Verify(first); got != nil {
		t.Errorf("the first batch alone: %v", got)
	}
}
