package logdir

import (
	"errors"
	"strings"
	"testing"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// TestCreateTriesAgain: without space no folder stays, and none is in the way
// when there is space again.
func TestCreateTriesAgain(t *testing.T) {
	fsys := memfs.New()
	w := newWorld(t, fsys, nil)
	w.open()
	specs := []Spec{
		{Topic: "t0", ID: kafka.TopicPartition{Topic: topicID(0)}, Options: syncOptions()},
		{Topic: "t1", ID: kafka.TopicPartition{Topic: topicID(1)}, Options: syncOptions()},
	}
	before, err := fsys.List(testRoot)
	if err != nil {
		t.Fatal(err)
	}
	fsys.OnCall(func(c memfs.Call) error {
		if c.Op == memfs.OpWrite && strings.HasPrefix(c.Name, testRoot+"/t1-") {
			return vfs.ErrNoSpace
		}
		return nil
	})
	if _, err := w.d.Create(specs); !errors.Is(err, vfs.ErrNoSpace) {
		t.Fatalf("created without space: %v", err)
	}
	fsys.OnCall(nil)
	if after, err := fsys.List(testRoot); err != nil || len(after) != len(before) {
		t.Errorf("left behind: %v, %v", after, err)
	}
	if _, err := w.d.Create(specs); err != nil {
		t.Error(err)
	}
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
}
