//go:build !wasip1

package tcp_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/osfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/net/tcp"
	"github.com/moldau/moldau/net/transport"
	"github.com/moldau/moldau/net/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestContract sends files with a descriptor, by sendfile where there is one,
// and files without one, by copying.
func TestContract(t *testing.T) {
	files := map[string]func(t *testing.T) (vfs.FS, string){
		"osfs":  func(t *testing.T) (vfs.FS, string) { return osfs.New(), t.TempDir() },
		"memfs": func(*testing.T) (vfs.FS, string) { return memfs.New(), "/" },
	}
	for name, fresh := range files {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, transporttest.Config{
				New:     func(*testing.T) transport.Network { return tcp.New() },
				Address: "127.0.0.1:0",
				Files:   fresh,
			})
		})
	}
}
