//go:build !linux

package engine

import "os"

// limit does nothing here: a wasm guest's memory is bounded by its worker.
func (r *run) limit(int) error { return nil }

// rssMax is not known here.
func rssMax(*os.ProcessState) int64 { return 0 }
