package explore

import (
	"sync"

	"github.com/moldau/moldau/internal/invariant"
)

// Bounds of a table of parts.
const (
	partChunk = 1 << 10 // parts in a piece of memory
	chunksMax = 1 << 15
)

// parts gives numbers to values by their encoding. Values are never changed
// once they have one. Number 0 is the first value put in.
type parts[T any] struct {
	mu     sync.Mutex
	ids    map[string]uint32
	n      uint32
	chunks [chunksMax]*[partChunk]*T
	fresh  bool // every value gets a number of its own, for tests
}

// put is the number of the value with the encoding key; v becomes it if there
// is none yet.
func (t *parts[T]) put(key []byte, v *T) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id, ok := t.ids[string(key)]; ok && !t.fresh {
		return id
	}
	if t.ids == nil {
		t.ids = make(map[string]uint32)
	}
	id := t.n
	invariant.Check(id < partChunk*chunksMax, "%d parts", id)
	if t.chunks[id/partChunk] == nil {
		t.chunks[id/partChunk] = new([partChunk]*T)
	}
	t.chunks[id/partChunk][id%partChunk] = v
	t.ids[string(key)] = id
	t.n++
	return id
}

// get is the value of a number. Whoever has the number got it after the value
// was put in, so no lock is needed.
func (t *parts[T]) get(id uint32) *T { return t.chunks[id/partChunk][id%partChunk] }

func (t *parts[T]) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int(t.n)
}
