package osfs_test

import (
	"errors"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/moldau/moldau/disk/osfs"
	"github.com/moldau/moldau/disk/vfs"
)

func TestFullDisk(t *testing.T) {
	f, err := osfs.New().Open("/dev/full")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, vfs.ErrNoSpace) || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("write to a full disk: %v", err)
	}
	if _, err := f.WriteVecAt([][]byte{{1}, {2}}, 0); !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("vectored write to a full disk: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFailedSync: what cannot be synced is an error, not passed over.
func TestFailedSync(t *testing.T) {
	f, err := osfs.New().Open("/dev/full")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); !errors.Is(err, unix.EINVAL) {
		t.Errorf("sync of a device: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDescriptorStaysOpenWhileLent closes the file while another goroutine
// reads by its descriptor.
func TestDescriptorStaysOpenWhileLent(t *testing.T) {
	f, err := osfs.New().Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("data"), 0); err != nil {
		t.Fatal(err)
	}
	lent, closed := make(chan struct{}), make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		err := f.(vfs.Descriptor).WithFd(func(fd uintptr) error {
			close(lent)
			<-closed
			p := make([]byte, 4)
			n, err := unix.Pread(int(fd), p, 0)
			if n != 4 || string(p) != "data" {
				t.Errorf("read %d bytes %q", n, p)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-lent
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	close(closed)
	reader.Wait()
}
