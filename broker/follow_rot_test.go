package broker_test

import (
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/disk/vfs"
)

// TestFollowerFindsRot: a leader whose records have rotted sends them without a look.
// A follower asks for them again and again, and by that the leader finds the damage.
func TestFollowerFindsRot(t *testing.T) {
	tr := newTrio(t, 1)
	c := tr.client(0)
	tr.append(c, 0, "a")
	tr.stop(2)
	tr.elect(0, 0, 0, 1)
	end := tr.append(c, 0, "b") + 1
	leader := tr.members[0]
	for !tr.rots(leader.fs, end) {
		tr.clock.Sleep(time.Millisecond, nil)
	}
	verdict := func() bool { return slices.Contains(filesIn(t, leader.fs, "d/t-0"), "d/t-0/moldau.standing") }
	if verdict() {
		t.Fatal("there is a verdict before anybody has looked")
	}
	tr.start(2)
	for !verdict() { // without end where nobody looks
		tr.clock.Sleep(time.Millisecond, nil)
	}
}

// rots changes the last byte of the record before end, if the file has it already.
func (tr *trio) rots(fsys vfs.FS, end int64) (done bool) {
	tr.t.Helper()
	err := change(fsys, "d/t-0/00000000000000000000.log", func(f vfs.File, size int64) error {
		raw := make([]byte, size)
		if _, err := f.ReadAt(raw, 0); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for at := int64(0); at < size; {
			h, b, _, err := batch.Next(raw[at:])
			if err != nil {
				return nil // not there yet
			}
			if at += int64(len(b)); h.NextOffset() == end {
				done = true
				_, err = f.WriteAt([]byte{b[len(b)-1] ^ 1}, at-1)
				return err
			}
		}
		return nil
	})
	if err != nil {
		tr.t.Fatal(err)
	}
	return done
}
