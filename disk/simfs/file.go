package simfs

import (
	"errors"
	"io"
	"slices"

	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// sectorBytes is the unit that a disk writes wholly or not at all.
const sectorBytes = 512

// file is an open file. It has no descriptor on purpose.
type file struct {
	fsys  *FS
	inner vfs.File
	raw   memfs.Damager // the same
}

// ReadAt is io.ReaderAt's.
func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	name := f.inner.Name()
	if err = f.fsys.begin(OpRead, name); err == nil {
		n, err = f.readAt(p, off)
	} else {
		err = pathError(string(OpRead), name, err)
	}
	f.fsys.fence.Leave(OpRead, name)
	return n, err
}

func (f *file) readAt(p []byte, off int64) (int, error) {
	d, name := f.fsys.disk, f.inner.Name()
	if len(p) > 0 && d.strikes(ReadError, name) {
		d.hit(ReadError, name)
		return 0, pathError(string(OpRead), name, ErrIO)
	}
	n, err := f.inner.ReadAt(p, off)
	if n == 0 {
		return n, err
	}
	if d.strikes(Rot, name) {
		d.hit(Rot, name)
		bit := d.number(Rot, int64(n)*8)
		at := bit / 8
		p[at] ^= 1 << (bit % 8)
		f.raw.Damage(p[at:at+1], off+at)
		f.fsys.note(func(l ledger) { l.damaged(f.raw.ID(), Rot, off+at, 1) })
	}
	if d.strikes(FlipOnRead, name) {
		d.hit(FlipOnRead, name)
		bit := d.number(FlipOnRead, int64(n)*8)
		p[bit/8] ^= 1 << (bit % 8)
	}
	return n, err
}

// WriteAt is io.WriterAt's.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.WriteVecAt([][]byte{p}, off)
	return int(n), err
}

// WriteVecAt is vfs.File's.
func (f *file) WriteVecAt(bufs [][]byte, off int64) (n int64, err error) {
	name := f.inner.Name()
	err = f.fsys.begin(OpWrite, name)
	if spring, within := f.fsys.fence.Part(OpWrite, name); within && err == nil {
		_, _ = f.put(cut(bufs, (off+length(bufs)/2)/sectorBytes*sectorBytes-off), off) // nobody learns of it
		spring()
	}
	if err == nil {
		n, err = f.write(bufs, off)
	} else {
		err = pathError(string(OpWrite), name, err)
	}
	f.fsys.fence.Leave(OpWrite, name)
	return n, err
}

func (f *file) write(bufs [][]byte, off int64) (int64, error) {
	d, name := f.fsys.disk, f.inner.Name()
	all := length(bufs)
	if all == 0 {
		return f.inner.WriteVecAt(bufs, off)
	}
	if d.strikes(WriteError, name) {
		d.hit(WriteError, name)
		sectors := (off%sectorBytes + all) / sectorBytes // that end within the write
		part := max((off/sectorBytes+d.number(WriteError, sectors+1))*sectorBytes-off, 0)
		n, err := f.put(cut(bufs, min(part, all)), off)
		if err == nil {
			err = pathError(string(OpWrite), name, ErrIO)
		}
		return n, err
	}
	lost := d.strikes(LostWrite, name)
	if !lost && !d.strikes(Misdirect, name) {
		return f.put(bufs, off)
	}
	old := make([]byte, all)
	if _, err := f.inner.ReadAt(old, off); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	n, err := f.put(bufs, off)
	f.raw.Damage(old[:n], off)
	kind := LostWrite
	if !lost {
		kind = Misdirect
		f.land(cut(bufs, n))
	}
	d.hit(kind, name)
	f.fsys.note(func(l ledger) { l.damaged(f.raw.ID(), kind, off, n) })
	return n, err
}

// land puts a misdirected write at the beginning of some sector of some file,
// as far as that file reaches. Files whose copy the atlas keeps are spared,
// but for those beside the one that was meant.
func (f *file) land(bufs [][]byte) {
	d, inner := f.fsys.disk, f.fsys.inner
	d.mu.Lock()
	lands := d.lands
	d.mu.Unlock()
	var paths []string
	inner.Files(func(path string, _ uint64, size int64) {
		if size > 0 && fits(lands, path) {
			paths = append(paths, path)
		}
	})
	paths = slices.DeleteFunc(paths, func(path string) bool {
		return thing(path) != thing(f.inner.Name()) && !d.config.Atlas.Allows(d.config.Node, path)
	})
	if len(paths) == 0 {
		return
	}
	victim, err := inner.Open(paths[d.number(Misdirect, int64(len(paths)))])
	if err != nil {
		return // removed meanwhile
	}
	defer func() { _ = victim.Close() }() // of memory
	size, err := victim.Size()
	if err != nil || size == 0 {
		return
	}
	off := d.number(Misdirect, (size+sectorBytes-1)/sectorBytes) * sectorBytes
	raw := victim.(memfs.Damager)
	at := off
	for _, b := range bufs {
		raw.Damage(b, at)
		at += int64(len(b))
	}
	d.hit(Misdirect, victim.Name())
	f.fsys.note(func(l ledger) { l.damaged(raw.ID(), Misdirect, off, min(at, size)-off) })
}

// put writes to the file system below and notes what is unsynced.
func (f *file) put(bufs [][]byte, off int64) (int64, error) {
	n, err := f.inner.WriteVecAt(bufs, off)
	d := f.fsys.disk
	if n > 0 {
		f.fsys.note(func(l ledger) { l.wrote(f.raw.ID(), off, n) })
	}
	if errors.Is(err, vfs.ErrNoSpace) {
		d.marks.full.Hit(d.config.Node + ":" + f.inner.Name())
	}
	return n, err
}

func length(bufs [][]byte) (n int64) {
	for _, b := range bufs {
		n += int64(len(b))
	}
	return n
}

// cut returns the first n bytes of bufs, none if n is negative.
func cut(bufs [][]byte, n int64) (part [][]byte) {
	for _, b := range bufs {
		if n <= 0 {
			break
		}
		b = b[:min(int64(len(b)), n)]
		part, n = append(part, b), n-int64(len(b))
	}
	return part
}

// emptied notes that Create cut the file.
func (f *file) emptied() { f.cutTo(0) }

func (f *file) cutTo(size int64) {
	f.fsys.note(func(l ledger) { l.wrote(f.raw.ID(), size, everything-size) })
}

// Truncate is vfs.File's.
func (f *file) Truncate(size int64) error {
	name := f.inner.Name()
	err := f.fsys.begin(OpTruncate, name)
	if err != nil {
		err = pathError(string(OpTruncate), name, err)
	} else if err = f.inner.Truncate(size); err == nil {
		f.cutTo(size)
	}
	f.fsys.fence.Leave(OpTruncate, name)
	return err
}

// Sync is vfs.File's. Where it fails, what it was to write is dropped and the
// next one succeeds.
func (f *file) Sync() error {
	name, d := f.inner.Name(), f.fsys.disk
	err := f.fsys.begin(OpSync, name)
	switch {
	case err == nil && d.strikes(SyncError, name):
		d.hit(SyncError, name)
		err = ErrIO
		fallthrough
	case err != nil:
		f.raw.DropDirty()
		f.fsys.note(func(l ledger) { l.dropped(f.raw.ID(), SyncError) })
		err = pathError(string(OpSync), name, err)
	default:
		if err = f.inner.Sync(); err == nil { // the caller's promise
			f.fsys.note(func(l ledger) { l.synced(f.raw.ID()) })
		}
	}
	f.fsys.fence.Leave(OpSync, name)
	return err
}

// Size is vfs.File's.
func (f *file) Size() (int64, error) {
	name := f.inner.Name()
	f.fsys.fence.Enter(OpStat, name)
	n, err := f.inner.Size()
	f.fsys.fence.Leave(OpStat, name)
	return n, err
}

// Name is vfs.File's.
func (f *file) Name() string { return f.inner.Name() }

// Close is vfs.File's.
func (f *file) Close() error {
	name := f.inner.Name()
	f.fsys.fence.Enter(OpClose, name)
	err := f.inner.Close()
	f.fsys.fence.Leave(OpClose, name)
	return err
}
