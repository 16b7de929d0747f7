package tcp

import (
	"errors"
	"fmt"
	"time"

	"github.com/moldau/moldau/net/transport"
)

// Network has no sockets. Make it with New.
type Network struct{}

// New returns a network all of whose calls fail.
func New() *Network { return &Network{} }

// Listen is transport.Network's.
func (*Network) Listen(address string) (transport.Listener, error) {
	return nil, fmt.Errorf("listen %s: %w", address, errors.ErrUnsupported)
}

// Dial is transport.Network's.
func (*Network) Dial(address string, _ time.Duration, _ <-chan struct{}) (transport.Conn, error) {
	return nil, fmt.Errorf("dial %s: %w", address, errors.ErrUnsupported)
}
