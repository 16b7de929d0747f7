package fetcher

import (
	"sync"
)

// pool is the memory that a peer's answers are read into. It implements
// buffer.Home.
type pool struct {
	freed func() // called when no longer too much is in use; it must not wait

	mu    sync.Mutex
	free  [][]byte
	inUse int64
}

// get returns memory of length 0 for an answer of size bytes; it grows as bytes
// arrive, up to what is wanted.
func (p *pool) get(size int) []byte {
	if size < pooledBytesMin {
		return make([]byte, 0, size)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b[:0]
	}
	return nil
}

// use counts memory that is handed on.
func (p *pool) use(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inUse += int64(cap(b))
}

// pinned is the memory of answers that somebody still refers to, bytes.
func (p *pool) pinned() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inUse
}

// TakeBack implements buffer.Home.
func (p *pool) TakeBack(b []byte) {
	p.mu.Lock()
	before := p.inUse
	p.inUse -= int64(cap(b))
	room := before > pinnedBytesMax && p.inUse <= pinnedBytesMax
	if cap(b) >= pooledBytesMin && len(p.free) < pooledMax {
		p.free = append(p.free, b)
	}
	p.mu.Unlock()
	if room {
		p.freed()
	}
}
