// in: broker/server

package server

import (
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"regexp"
	"sync"
	"sync/atomic"
)

var ErrRefused = errors.New("refused")

var _ io.Reader = (*reader)(nil)

var (
	names     = [...]string{"a", "b"}
	bySize    = map[int]string{1: "a"}
	address   = regexp.MustCompile(`\w+:\d+`)
	checksums = crc32.MakeTable(crc32.Castagnoli)
)

var (
	started  bool                          // want "has no value"
	assigned = 1                           // want "is changed at"
	counted  = 1                           // want "is changed at"
	element  = []int{1}                    // want "is changed at"
	field    = reader{}                    // want "is changed at"
	lent     = 1                           // want "is changed at"
	removed  = map[int]int{1: 1}           // want "is changed at"
	called   = reader{}                    // want "is changed at"
	ranged   = 1                           // want "is changed at"
	pool     = sync.Pool{}                 // want "holds sync.Pool"
	counter  = &atomic.Int64{}             // want "holds atomic.Int64"
	within   = []*reader{}                 // want "is changed at"
	locked   = map[string]*withLock{}      // want "holds sync.Mutex"
	signals  = make(chan int)              // want "holds a channel"
	random   = rand.New(rand.NewPCG(1, 2)) // want "holds rand.Rand"
)

type reader struct{ n int }

func (r *reader) Read([]byte) (int, error) { r.n++; return 0, io.EOF }

type withLock struct{ mu sync.Mutex }

func init() { // want "init runs behind"
	assigned = 2
	counted++
	element[0] = 2
	field.n = 2
	_ = &lent
	delete(removed, 1)
	_, _ = called.Read(nil)
	for ranged = range 3 {
	}
	within[0].n = 2
}

func reads() (string, string, bool, uint32) {
	local := names
	local[0] = "c"
	return names[0], bySize[1], address.MatchString("a:1"), crc32.Checksum(nil, checksums)
}
