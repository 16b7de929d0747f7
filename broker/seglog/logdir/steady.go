package logdir

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/moldau/moldau/disk/vfs"
)

// steadyReadsMax is how often bytes are read at most until two readings agree.
const steadyReadsMax = 5

// readSteady fills p with the bytes of a file from an offset on, as two readings
// one after the other agree on: what is read in order to be written again would
// otherwise make a read that was wrong once the contents of the disk. again is as
// long as p, and used. The error says what could not be read, or that no two
// readings agree.
func readSteady(f vfs.File, p, again []byte, at int64) error {
	if err := readFull(f, p, at); err != nil {
		return err
	}
	for range steadyReadsMax - 1 {
		if err := readFull(f, again, at); err != nil {
			return err
		}
		if bytes.Equal(p, again) {
			return nil
		}
		copy(p, again)
	}
	return fmt.Errorf("%s: no two of %d readings of %d bytes at %d are the same", f.Name(), steadyReadsMax, len(p), at)
}

// readFull reads all of p, or fails.
func readFull(f vfs.File, p []byte, at int64) error {
	n, err := f.ReadAt(p, at)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %s at %d: %d of %d bytes: %w", f.Name(), at, n, len(p), err)
}
