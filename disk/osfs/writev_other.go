//go:build !linux

package osfs

func (f *file) writeVecAt(bufs [][]byte, off int64) (int64, error) { return f.writeEach(bufs, off) }
