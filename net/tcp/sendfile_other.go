//go:build !linux && !wasip1

package tcp

import (
	"errors"

	"github.com/moldau/moldau/disk/vfs"
)

func (*conn) sendFile(vfs.Descriptor, int64, int64) (int64, error) {
	return 0, errors.ErrUnsupported
}
