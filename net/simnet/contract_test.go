package simnet_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/net/simnet"
	"github.com/moldau/moldau/net/transport"
	"github.com/moldau/moldau/net/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	transporttest.Run(t, transporttest.Config{
		New: func(*testing.T) transport.Network {
			return simnet.New(simnet.Config{Timebase: simcore.ProcessTime{}}).Join("node", simcore.NewFence(nil))
		},
		Address: "node:0",
		Files:   func(*testing.T) (vfs.FS, string) { return memfs.New(), "/" },
	})
}

// across listens on one host and dials from another.
type across struct {
	*simnet.View
	server *simnet.View
}

func (a across) Listen(address string) (transport.Listener, error) { return a.server.Listen(address) }

// TestContractAcrossLinks: delays, throttles and fragments change nothing of it.
func TestContractAcrossLinks(t *testing.T) {
	transporttest.Run(t, transporttest.Config{
		New: func(*testing.T) transport.Network {
			fabric := simnet.New(simnet.Config{Timebase: simcore.ProcessTime{}})
			fabric.SetNormal(simnet.Link{
				Delay: 50 * time.Microsecond, Jitter: 100 * time.Microsecond, BytesPerSecond: 2 << 30,
				FragmentShare: 0.2, WindowBytes: 1 << 20,
			})
			return across{fabric.Join("client", nil), fabric.Join("node", nil)}
		},
		Address: "node:0",
		Files:   func(*testing.T) (vfs.FS, string) { return memfs.New(), "/" },
	})
}
