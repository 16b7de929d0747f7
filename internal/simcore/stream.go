package simcore

import (
	"hash/fnv"
	"math/rand/v2"
)

// Streams derives random streams from a seed. A stream depends on the seed and
// its name alone, so that taking one component or fault away leaves the draws
// of all others as they were.
type Streams struct {
	seed uint64
}

// NewStreams returns the streams of a seed.
func NewStreams(seed uint64) Streams { return Streams{seed} }

// Stream returns a new stream from its beginning. It is not for concurrent use.
func (s Streams) Stream(name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return rand.New(rand.NewPCG(s.seed, h.Sum64()))
}

// Sub returns streams of their own under a name: those of one node, say.
func (s Streams) Sub(name string) Streams {
	return Streams{s.Stream("sub:" + name).Uint64()}
}
