package scenario

import (
	"testing"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/sim/workload"
)

// TestOwnerOf: the folder of a deleted topic that is there still is not scanned as
// that of a topic which has the name now.
func TestOwnerOf(t *testing.T) {
	now := &workload.Topic{Spec: workload.TopicSpec{Name: "same"}, ID: [16]byte{2}}
	disk := memfs.New()
	for at, raw := range map[string][]byte{
		"/old/same-0": seglog.EncodePartitionMetadata(kafka.UUID{1}), "/new/same-0": seglog.EncodePartitionMetadata(now.ID), "/torn/same-0": []byte("version"),
	} {
		if err := disk.MkdirAll(at); err != nil {
			t.Fatal(err)
		}
		f, err := disk.Create(at + "/" + seglog.PartitionMetadataFile)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(raw, 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for at, want := range map[string]*workload.Topic{"/new/same-0": now, "/old/same-0": nil, "/torn/same-0": nil, "/none/same-0": nil} {
		if got := ownerOf(disk, at, []*workload.Topic{now}); got != want {
			t.Errorf("%s is of %v, want %v", at, got, want)
		}
	}
}
