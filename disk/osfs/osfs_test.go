package osfs_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/disk/osfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/disk/vfs/vfstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	vfstest.Run(t, vfstest.Config{
		New: func(t *testing.T) (vfs.FS, string) {
			return osfs.New(), t.TempDir()
		},
		Descriptors: true,
	})
}
