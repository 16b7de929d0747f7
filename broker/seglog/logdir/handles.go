package logdir

import (
	"errors"
	"io/fs"
	"sync"

	"github.com/moldau/moldau/disk/vfs"
)

// handles keeps the segments' .log files open while somebody uses them, and
// the most recently used others up to a bound.
type handles struct {
	fs  vfs.FS
	max int // open files that nobody uses

	mu   sync.Mutex
	idle segment // head of the ring of idle open segments; next is the newest
	len  int     // idle ones
	open int     // all
}

func (h *handles) init(fsys vfs.FS, limit int) {
	h.fs, h.max = fsys, limit
	h.idle.prev, h.idle.next = &h.idle, &h.idle
}

// acquire opens the segment's .log, which exists, and keeps it open until
// release. A segment whose file has left the log is found only while it is open.
func (h *handles) acquire(s *segment) (vfs.File, error) { return h.take(s, h.fs.Open) }

// acquireNew is acquire for a file that may have to be made.
func (h *handles) acquireNew(s *segment) (vfs.File, error) {
	return h.take(s, func(name string) (vfs.File, error) { return openOrCreate(h.fs, name) })
}

func (h *handles) take(s *segment, open func(string) (vfs.File, error)) (vfs.File, error) {
	h.mu.Lock()
	if s.file != nil {
		h.use(s)
		f := s.file
		h.mu.Unlock()
		return f, nil
	}
	h.mu.Unlock()
	f, err := open(s.name(".log"))
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	if s.file == nil {
		s.file = f
		h.open++
		f = nil
	}
	h.use(s)
	kept := s.file
	h.mu.Unlock()
	if f != nil { // another opened it meanwhile
		err = f.Close()
	}
	return kept, err
}

// use takes a reference. The lock is held.
func (h *handles) use(s *segment) {
	if s.refs == 0 && s.next != nil {
		h.unlink(s)
	}
	s.refs++
}

// release gives a reference back.
func (h *handles) release(s *segment) {
	var shut vfs.File
	h.mu.Lock()
	s.refs--
	if s.refs == 0 {
		switch {
		case s.unlinked.Load():
			shut = h.drop(s)
		default:
			s.next, s.prev = h.idle.next, &h.idle
			s.next.prev, h.idle.next = s, s
			h.len++
			if h.len > h.max {
				oldest := h.idle.prev
				h.unlink(oldest)
				shut = h.drop(oldest)
			}
		}
	}
	h.mu.Unlock()
	if shut != nil {
		// Nothing depends on it: bytes that matter were synced while it was pinned.
		_ = shut.Close()
	}
}

// forget closes a segment that has left the log, now or with its last release.
func (h *handles) forget(s *segment) {
	h.mu.Lock()
	s.unlinked.Store(true)
	var shut vfs.File
	if s.refs == 0 && s.file != nil {
		h.unlink(s)
		shut = h.drop(s)
	}
	h.mu.Unlock()
	if shut != nil {
		_ = shut.Close()
	}
}

func (h *handles) unlink(s *segment) {
	s.prev.next, s.next.prev = s.next, s.prev
	s.prev, s.next = nil, nil
	h.len--
}

func (h *handles) drop(s *segment) vfs.File {
	f := s.file
	s.file = nil
	h.open--
	return f
}

// closeIdle closes what nobody uses.
func (h *handles) closeIdle() error {
	h.mu.Lock()
	var shut []vfs.File
	for h.idle.next != &h.idle {
		s := h.idle.next
		h.unlink(s)
		shut = append(shut, h.drop(s))
	}
	h.mu.Unlock()
	var err error
	for _, f := range shut {
		err = errors.Join(err, f.Close())
	}
	return err
}

func (h *handles) opened() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

// openOrCreate opens a file, or makes it when it is missing.
func openOrCreate(fsys vfs.FS, name string) (vfs.File, error) {
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fsys.Create(name)
	}
	return f, err
}
