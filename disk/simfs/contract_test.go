package simfs_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/disk/simfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/disk/vfs/vfstest"
	"github.com/moldau/moldau/internal/simcore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	vfstest.Run(t, vfstest.Config{New: func(t *testing.T) (vfs.FS, string) {
		fsys := simfs.New(simfs.Config{Timebase: simcore.ProcessTime{}}).Mount(simcore.NewFence(nil))
		if err := fsys.MkdirAll("/data"); err != nil {
			t.Fatal(err)
		}
		return fsys, "/data"
	}})
}
