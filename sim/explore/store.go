package explore

import (
	"sync"

	"github.com/moldau/moldau/internal/invariant"
)

// state is one state of a world: the numbers of its parts, and what is spent.
type state struct {
	control uint32
	brokers [Brokers]uint32
	past    uint32
	held    uint32 // messages under way
	spent   spent
}

// node is a state that was reached, and how: by the step from its parent.
type node struct {
	state
	parent ref
	step   step
}

// ref names a node: the shard in the upper bits, the place in the lower ones.
type ref uint32

const (
	shardBits = 6
	shards    = 1 << shardBits
	placeBits = 32 - shardBits
	placeMax  = 1 << placeBits
	nodeChunk = 1 << 12 // nodes in a piece of memory
)

func (r ref) shard() uint32 { return uint32(r) >> placeBits }
func (r ref) place() uint32 { return uint32(r) & (placeMax - 1) }

// store holds all states that were reached, each once.
type store struct {
	shards [shards]shard
}

// shard is a part of the store under a lock of its own: a hash table of
// places in a list that only grows.
type shard struct {
	mu    sync.Mutex
	slots []uint32 // place + 1; 0 is free
	nodes []*[nodeChunk]node
	n     uint32
}

// hash mixes the state's numbers; it only spreads, equality decides.
func (s *state) hash() uint64 {
	const k = 0x9E3779B97F4A7C15
	h := uint64(s.control)<<32 | uint64(s.brokers[0])
	h = (h ^ h>>29) * k
	h ^= uint64(s.brokers[1])<<32 | uint64(s.brokers[2])
	h = (h ^ h>>31) * k
	h ^= uint64(s.past)<<32 | uint64(s.held)
	h = (h ^ h>>30) * k
	h ^= uint64(s.spent)
	h = (h ^ h>>29) * k
	return h ^ h>>32
}

func (h *shard) at(place uint32) *node { return &h.nodes[place/nodeChunk][place%nodeChunk] }

// add keeps a state that is new, and reports whether it was.
func (st *store) add(s state, parent ref, by step) bool {
	hash := s.hash()
	sh := &st.shards[hash>>(64-shardBits)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if int(sh.n)*4 >= len(sh.slots)*3 {
		sh.grow()
	}
	mask := uint32(len(sh.slots) - 1)
	i := uint32(hash) & mask
	for ; sh.slots[i] != 0; i = (i + 1) & mask {
		if sh.at(sh.slots[i]-1).state == s {
			return false
		}
	}
	invariant.Check(sh.n < placeMax, "%d states in a shard", sh.n)
	if sh.n%nodeChunk == 0 {
		sh.nodes = append(sh.nodes, new([nodeChunk]node))
	}
	*sh.at(sh.n) = node{state: s, parent: parent, step: by}
	sh.n++
	sh.slots[i] = sh.n
	return true
}

// grow doubles the hash table.
func (h *shard) grow() {
	h.slots = make([]uint32, max(64, 2*len(h.slots)))
	mask := uint32(len(h.slots) - 1)
	for place := range h.n {
		i := uint32(h.at(place).hash()) & mask
		for h.slots[i] != 0 {
			i = (i + 1) & mask
		}
		h.slots[i] = place + 1
	}
}

// node is the node of a name. Between two levels of the search nobody adds.
func (st *store) node(r ref) *node { return st.shards[r.shard()].at(r.place()) }

// counts are the numbers of nodes by shard.
func (st *store) counts() (by [shards]uint32, total int) {
	for i := range st.shards {
		sh := &st.shards[i]
		sh.mu.Lock()
		by[i] = sh.n
		sh.mu.Unlock()
		total += int(by[i])
	}
	return by, total
}
