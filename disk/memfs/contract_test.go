package memfs_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/disk/vfs/vfstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	vfstest.Run(t, vfstest.Config{New: func(t *testing.T) (vfs.FS, string) {
		fsys := memfs.New()
		if err := fsys.MkdirAll("/data"); err != nil {
			t.Fatal(err)
		}
		return fsys, "/data"
	}})
}
