package server

import (
	"cmp"
	"math/bits"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/moldau/moldau/clock"
)

const (
	// frameChunkBytes is what a frame gets before any of it has arrived, and
	// chunkBytesMax what it gets at a time until half of it has.
	frameChunkBytes = 16 << 10
	chunkBytesMax   = 64 << 10
	// frameTrustBytesMax bounds what a connection that has completed frames
	// of that size gets at once.
	frameTrustBytesMax = 16 << 20
	// smallFrameBytesMax: frames up to this declared length may use the
	// budget's reserve, so that giant ones never keep them waiting.
	smallFrameBytesMax = 2 << 20
	// largeShare of the budget is what all larger frames may take together (one
	// part in so many), but for one that needs more alone.
	largeShare = 2
	// pooledShare of the budget may be kept for reuse (one part in so many);
	// what is in use and what is kept never exceed the budget together.
	pooledShare = 4
	// Buffers of 1<<classBitsMin to 1<<classBitsMax bytes are reused, by size
	// classes, classSteps of them to each doubling.
	classBitsMin = 11
	classBitsMax = 24
	classSteps   = 4
	classCount   = (classBitsMax-classBitsMin)*classSteps + 1

	// janitorEvery passes between rounds of the janitor, contendedEvery while
	// somebody waits for memory.
	janitorEvery   = 250 * time.Millisecond
	contendedEvery = 25 * time.Millisecond
	// evictionsMax frames are evicted in one round, so that many that end at
	// once do not hold up those that are served.
	evictionsMax = 16
	// stalledAfter: a frame of which nothing arrived for so long may be evicted
	// while others wait for memory.
	stalledAfter = time.Second
	// starvedAfter: a frame that is not whole after so long, and waits for
	// memory, may wait for one like itself.
	starvedAfter = 2 * time.Second
)

// Budget bounds the memory of all requests of a node, from their first byte
// until the last part of them is written to a log. All methods may be called
// concurrently.
type Budget struct {
	clock clock.Clock
	max   int64

	mu         sync.Mutex
	used       int64
	waiters    [2][]*budgetWaiter // small frames, large frames; each by declared size, then first come, first served
	waking     bool               // a waiter was given memory and does not run yet
	incomplete map[*arrival]struct{}
	evicted    uint64

	pool       [classCount][][]byte
	pooledSize int64
}

type budgetWaiter struct {
	arr   *arrival
	n     int64
	ready chan bool // true: charged; false: evicted or closed
}

// NewBudget returns a budget of maxBytes.
func NewBudget(c clock.Clock, maxBytes int64) *Budget {
	return &Budget{clock: c, max: maxBytes, incomplete: map[*arrival]struct{}{}}
}

// Used is the memory charged at the moment, in bytes.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Evicted counts the frames that were evicted so far.
func (b *Budget) Evicted() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.evicted
}

// begin registers a frame that has begun to arrive.
func (b *Budget) begin(a *arrival) {
	now := b.clock.Mono()
	a.progress.Store(int64(now))
	b.mu.Lock()
	defer b.mu.Unlock()
	a.began, a.evicting = now, false
	b.incomplete[a] = struct{}{}
}

// complete takes a off the list: it is whole, or its connection is gone.
func (b *Budget) complete(a *arrival) {
	b.mu.Lock()
	delete(b.incomplete, a)
	b.mu.Unlock()
}

// buffer charges and returns memory of at least n bytes (its cap is what is
// charged), waiting for it if it must. It returns nil when the frame was evicted.
func (b *Budget) buffer(a *arrival, n int) []byte {
	size := classSize(n)
	if buf := b.reuse(a, size); buf != nil {
		return buf
	}
	if !b.charge(a, int64(size)) {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if class, ok := classOf(size); ok && len(b.pool[class]) > 0 {
		return b.unpool(class)
	}
	b.shrinkPool()
	return make([]byte, size)
}

// reuse charges and returns memory that is kept, of size bytes or, for a large
// frame, up to twice as much: frames of one load differ in size, and fresh memory costs
// more than what it is filled with. It returns nil where there is none or a must wait.
func (b *Budget) reuse(a *arrival, size int) []byte {
	class, ok := classOf(size)
	if !ok {
		return nil
	}
	last := class
	if size > chunkBytesMax {
		last = min(class+classSteps, classCount-1)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for ; class <= last; class++ {
		if n := int64(classBytes(class)); len(b.pool[class]) > 0 && b.fitsNow(a, n) {
			b.used += n
			a.held += n
			return b.unpool(class)
		}
	}
	return nil
}

// unpool takes the buffer of a class that was kept last; there is one.
func (b *Budget) unpool(class int) []byte {
	free := b.pool[class]
	buf := free[len(free)-1]
	free[len(free)-1] = nil
	b.pool[class] = free[:len(free)-1]
	b.pooledSize -= int64(len(buf))
	return buf
}

// shrinkPool drops kept buffers, the largest first, until what is used and
// what is kept fit into the budget.
func (b *Budget) shrinkPool() {
	for class := classCount - 1; class >= 0 && b.used+b.pooledSize > b.max; class-- {
		for free := b.pool[class]; len(free) > 0 && b.used+b.pooledSize > b.max; free = b.pool[class] {
			b.pooledSize -= int64(cap(free[len(free)-1]))
			free[len(free)-1] = nil
			b.pool[class] = free[:len(free)-1]
		}
	}
}

func (b *Budget) charge(a *arrival, n int64) bool {
	b.mu.Lock()
	if b.fitsNow(a, n) {
		b.used += n
		a.held += n
		b.mu.Unlock()
		return true
	}
	w, queue := &budgetWaiter{arr: a, n: n, ready: make(chan bool, 1)}, queueOf(a)
	a.waiting = true
	// Smaller frames come first: what a client declares is what it competes with.
	at := sort.Search(len(b.waiters[queue]), func(i int) bool { return b.waiters[queue][i].arr.declared > a.declared })
	b.waiters[queue] = slices.Insert(b.waiters[queue], at, w)
	b.mu.Unlock()
	granted := <-w.ready
	if granted {
		b.mu.Lock()
		b.waking = false
		b.grant()
		b.mu.Unlock()
	}
	return granted
}

// queueOf is the index in waiters where a waits.
func queueOf(a *arrival) int {
	if a.declared > smallFrameBytesMax {
		return 1
	}
	return 0
}

// fitsNow says whether n more bytes may be charged for a and nobody waits before it.
func (b *Budget) fitsNow(a *arrival, n int64) bool {
	return len(b.waiters[queueOf(a)]) == 0 && b.fits(a, n)
}

// fits says whether n more bytes may be charged for a. What a frame holds in
// chunks does not count against the buffer that takes their place. One frame
// always fits into an empty budget, whatever its size.
func (b *Budget) fits(a *arrival, n int64) bool {
	limit := b.max
	if large := b.max / largeShare; a.declared > smallFrameBytesMax && n <= large {
		limit = large
	}
	used := b.used
	if n > chunkBytesMax {
		used -= a.held
	}
	return used+n <= limit || b.used == a.held
}

// TakeBack ends the charge of a frame's memory and keeps it for reuse.
func (b *Budget) TakeBack(buf []byte) {
	buf = buf[:cap(buf)]
	class, reusable := classOf(len(buf))
	b.mu.Lock()
	defer b.mu.Unlock() // granting reads the clock
	b.used -= int64(len(buf))
	if reusable && b.pooledSize+int64(len(buf)) <= b.max/pooledShare {
		b.pool[class] = append(b.pool[class], buf)
		b.pooledSize += int64(len(buf))
	}
	b.grant()
}

// grant gives memory to the first who waits for it, small frames before large
// ones. Who got it calls grant for the next when it runs: room for a thousand
// makes no crowd that everybody else would have to queue behind.
func (b *Budget) grant() {
	for q := range b.waiters {
		if b.waking || len(b.waiters[q]) == 0 {
			continue
		}
		w := b.waiters[q][0]
		if !b.fits(w.arr, w.n) {
			continue
		}
		b.waking = true
		b.used += w.n
		w.arr.held += w.n
		w.arr.waiting = false
		w.arr.progress.Store(int64(b.clock.Mono()))
		b.waiters[q][0] = nil
		b.waiters[q] = b.waiters[q][1:]
		w.ready <- true
	}
}

// abandon ends the wait of a frame whose connection is closing.
func (b *Budget) abandon(a *arrival) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for q, waiters := range b.waiters {
		for i, w := range waiters {
			if w.arr == a {
				b.waiters[q] = append(waiters[:i:i], waiters[i+1:]...)
				w.ready <- false
				b.grant() // who stood behind it may want less
				return
			}
		}
	}
}

// contended reports that somebody waits for memory.
func (b *Budget) contended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiters[0])+len(b.waiters[1]) > 0
}

// sweep evicts frames while others wait for memory, at most evictionsMax; the
// janitor calls it. First go frames that stalled. Then frames that are not
// whole after stalledAfter, the largest first and of these the oldest, until
// those who declared less get what they wait for: so neither giants that wait
// for each other nor a crowd that trickles keeps smaller requests out. Frames
// of one size that wait for each other are thinned out by half of what is in use.
func (b *Budget) sweep() {
	now := b.clock.Mono()
	for _, a := range b.victims(now) {
		a.conn.evict(errEvicted)
	}
}

// victims chooses the frames that sweep evicts.
func (b *Budget) victims(now clock.Mono) (victims []*arrival) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiters[0])+len(b.waiters[1]) == 0 {
		return nil
	}
	var late []*arrival
	for a := range b.incomplete { //det:ok sorted below
		switch {
		case a.evicting:
		case !a.waiting && now.Sub(clock.Mono(a.progress.Load())) >= stalledAfter:
			victims = append(victims, a)
		case now.Sub(a.began) >= stalledAfter:
			late = append(late, a)
		}
	}
	slices.SortFunc(victims, largestFirst)
	if len(victims) == 0 {
		victims = b.preempt(now, late)
	}
	victims = victims[:min(len(victims), evictionsMax)]
	for _, a := range victims {
		a.evicting = true
	}
	b.evicted += uint64(len(victims))
	return victims
}

// largestFirst orders by what was declared, then the oldest first.
func largestFirst(a, c *arrival) int {
	return cmp.Or(cmp.Compare(c.declared, a.declared), cmp.Compare(a.began, c.began))
}

// preempt chooses among the late frames those that make room.
func (b *Budget) preempt(now clock.Mono, late []*arrival) (victims []*arrival) {
	slices.SortFunc(late, largestFirst)
	starved := b.deadlocked(now, late)
	freed := int64(0)
	for _, a := range late {
		want := b.wantedBelow(a.declared)
		if starved {
			want = max(want, b.used/2)
		}
		if freed >= want {
			break
		}
		if a.held > 0 {
			freed += a.held
			victims = append(victims, a)
		}
	}
	return victims
}

// deadlocked reports that frames which are not whole hold half of what is in use or
// more, while one of them has waited for the rest too long: they wait for each
// other. Memory held by requests that are being carried out is no such case.
func (b *Budget) deadlocked(now clock.Mono, late []*arrival) bool {
	held, waited := int64(0), false
	for _, a := range late {
		held += a.held
		waited = waited || a.waiting && now.Sub(a.began) >= starvedAfter
	}
	return waited && held >= b.used/2
}

// wantedBelow is what waiters with smaller frames than declared wait for, in bytes.
func (b *Budget) wantedBelow(declared int64) (n int64) {
	for _, queue := range b.waiters {
		for _, w := range queue {
			if w.arr.declared >= declared {
				break
			}
			n += w.n
		}
	}
	return n
}

// classBytes is the size of a class: from one power of two to the next in
// classSteps equal steps.
func classBytes(class int) int {
	doubling, step := class/classSteps, class%classSteps
	return 1 << (classBitsMin + doubling) / classSteps * (classSteps + step)
}

// classOf is the index of the size class that holds exactly size bytes.
func classOf(size int) (int, bool) {
	if size > 1<<classBitsMax {
		return 0, false
	}
	class := classAbove(size)
	return class, classBytes(class) == size
}

// classAbove is the smallest class of at least n bytes; n is at most the largest.
func classAbove(n int) int {
	if n <= 1<<classBitsMin {
		return 0
	}
	doubling := bits.Len(uint(n-1)) - 1 - classBitsMin // n is in (2^d, 2^(d+1)]
	base := 1 << (classBitsMin + doubling)
	step := (n - base + base/classSteps - 1) / (base / classSteps)
	return doubling*classSteps + step
}

// classSize rounds n up to a size class, or to a whole MiB above the largest.
func classSize(n int) int {
	if n <= 1<<classBitsMax {
		return classBytes(classAbove(n))
	}
	const mib = 1 << 20
	return (n + mib - 1) / mib * mib
}

// own ends an arrival: its frame is whole, and the charge moves to the frame.
func (b *Budget) own(a *arrival) {
	b.mu.Lock()
	a.held = 0
	b.mu.Unlock()
}

// disown takes n bytes off what an arrival holds, before they are taken back.
func (b *Budget) disown(a *arrival, n int64) {
	b.mu.Lock()
	a.held -= n
	b.mu.Unlock()
}
