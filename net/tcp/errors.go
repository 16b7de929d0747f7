//go:build !wasip1

package tcp

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/moldau/moldau/net/transport"
)

// mapError gives the errors of the seam their names, and keeps the original.
func mapError(err error) error {
	var name error
	switch {
	case err == nil, err == io.EOF:
		return err
	case errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled):
		name = transport.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		name = transport.ErrTimeout
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		name = transport.ErrTooManyFiles
	case errors.Is(err, syscall.ECONNREFUSED):
		name = transport.ErrRefused
	default:
		return err
	}
	return &seamError{name: name, cause: err}
}

// seamError is an error of the seam with its cause.
type seamError struct{ name, cause error }

func (e *seamError) Error() string   { return e.cause.Error() }
func (e *seamError) Unwrap() []error { return []error{e.name, e.cause} }

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func isClosed(err error) bool { return errors.Is(err, transport.ErrClosed) }
