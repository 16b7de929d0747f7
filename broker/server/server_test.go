package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/net/memnet"
	"github.com/moldau/moldau/net/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers every request with its body; Produce only when it is told to.
type echo struct {
	mu    sync.Mutex
	slots []*Slot
	seen  chan int16
}

type raw []byte

func (b raw) AppendTo(dst []byte) []byte { return append(dst, b...) }

func (e *echo) Serve(r *Request) (Body, bool, error) {
	body := raw(bytes.Clone(r.Body))
	if e.seen != nil {
		e.seen <- r.Key
	}
	if r.Key == keyProduce {
		s := r.Slot()
		e.mu.Lock()
		e.slots = append(e.slots, s)
		e.mu.Unlock()
		return nil, true, nil
	}
	return body, false, nil
}

func (e *echo) Gone(*Conn) {}

func frame(key, version int16, correlation int32, body string) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 4), uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, uint32(correlation))
	b = binary.BigEndian.AppendUint16(b, 0xffff)
	b = append(b, body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func readAnswer(t *testing.T, c transport.Conn) (int32, string) {
	t.Helper()
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		t.Fatalf("read answer: %v", err)
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatalf("read answer: %v", err)
	}
	return int32(binary.BigEndian.Uint32(b)), string(b[4:])
}

type rig struct {
	srv  *Server
	net  *memnet.Network
	echo *echo
}

func newRig(t *testing.T, budget int64) *rig {
	t.Helper()
	clk := sysclock.New()
	r := &rig{net: memnet.New(clk), echo: &echo{seen: make(chan int16, 64)}}
	r.srv = New(Config{Clock: clk, Events: event.Discard{}, Budget: NewBudget(clk, budget), MaxFrameBytes: 100 << 20})
	ln, err := r.net.Listen("broker:1")
	if err != nil {
		t.Fatal(err)
	}
	r.srv.Serve("PLAINTEXT", ln, r.echo, nil)
	t.Cleanup(func() {
		if err := r.srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *rig) dial(t *testing.T) transport.Conn {
	t.Helper()
	c, err := r.net.Dial("broker:1", time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (e *echo) slot(i int) *Slot {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.slots[i]
}

// Answers leave in the order of requests, however the slots complete, and a
// request that is no Produce waits for those before it.
func TestAnswersKeepTheOrderOfRequests(t *testing.T) {
	r := newRig(t, 64<<20)
	c := r.dial(t)
	var all []byte
	for i := range int32(3) {
		all = append(all, frame(keyProduce, 3, i, "p")...)
	}
	all = append(all, frame(3, 1, 9, "metadata")...)
	if _, err := c.Write(all); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		<-r.echo.seen
	}
	for _, i := range []int{2, 1, 0} {
		r.echo.slot(i).Complete(raw("answer"))
	}
	for want := range int32(3) {
		if got, body := readAnswer(t, c); got != want || body != "answer" {
			t.Fatalf("answer %d %q, want %d", got, body, want)
		}
	}
	if key := <-r.echo.seen; key != 3 {
		t.Fatalf("key %d served", key)
	}
	if got, body := readAnswer(t, c); got != 9 || body != "metadata" {
		t.Fatalf("answer %d %q after the produces", got, body)
	}
}

// A request sent byte by byte is read whole, one larger than its first chunk too.
func TestFramesInPieces(t *testing.T) {
	r := newRig(t, 64<<20)
	c := r.dial(t)
	big := string(bytes.Repeat([]byte("x"), 3*frameChunkBytes))
	go func() {
		for _, b := range frame(3, 1, 1, "small") {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
		}
		_, _ = c.Write(frame(3, 1, 2, big))
	}()
	if id, body := readAnswer(t, c); id != 1 || body != "small" {
		t.Fatalf("answer %d %q", id, body)
	}
	if id, body := readAnswer(t, c); id != 2 || body != big {
		t.Fatalf("answer %d of %d bytes", id, len(body))
	}
}

// Wrong lengths and unknown keys close the connection and nothing else.
func TestBadFramesCloseTheConnection(t *testing.T) {
	r := newRig(t, 64<<20)
	for name, b := range map[string][]byte{
		"negative length": {0xff, 0xff, 0xff, 0xff},
		"too long":        {0x7f, 0xff, 0xff, 0xff},
		"no header":       {0, 0, 0, 2, 1, 1},
		"unknown key":     frame(999, 0, 1, ""),
		"client id":       append([]byte{0, 0, 0, 12}, 0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, 'a', 'b'),
	} {
		c := r.dial(t)
		if _, err := c.Write(b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: read after it: %v, want EOF", name, err)
		}
	}
	c := r.dial(t)
	if _, err := c.Write(frame(3, 1, 5, "fine")); err != nil {
		t.Fatal(err)
	}
	if id, _ := readAnswer(t, c); id != 5 {
		t.Fatal("a good connection does not get its answer")
	}
}

// The budget gives everything back, evicts what stalls while others wait, and
// keeps its reserve for small frames.
func TestBudgetEvictsStalledFrames(t *testing.T) {
	clk := manual.New()
	b := NewBudget(clk, 8<<20)
	closed := make(chan struct{})
	stalled := &Conn{srv: &Server{budget: b}, tc: closeOnly{closed}, closed: make(chan struct{})}
	stalled.drained.L = &stalled.mu
	a := &stalled.arr
	a.conn, a.declared = stalled, 90<<20
	b.begin(a)
	if b.buffer(a, 4<<20) == nil {
		t.Fatal("no memory in an empty budget")
	}
	small := &arrival{conn: stalled, declared: 1 << 10}
	if buf := b.buffer(small, 1<<10); buf == nil {
		t.Fatal("a small frame got nothing although the reserve is free")
	} else {
		b.TakeBack(buf)
	}
	done := make(chan []byte)
	large := &arrival{conn: &Conn{}, declared: 50 << 20}
	go func() { done <- b.buffer(large, 4<<20) }()
	for waits := false; !waits; {
		b.mu.Lock()
		waits = len(b.waiters[1]) == 1
		b.mu.Unlock()
	}
	b.sweep()
	select {
	case <-closed:
		t.Fatal("evicted before it stalled")
	default:
	}
	clk.Advance(stalledAfter)
	b.sweep()
	<-closed
	b.disown(a, 4<<20)
	b.TakeBack(make([]byte, 4<<20))
	buf := <-done
	if len(buf) != 4<<20 {
		t.Fatalf("the waiter got %d bytes", len(buf))
	}
	b.TakeBack(buf)
	if b.Used() != 0 {
		t.Fatalf("%d bytes are still charged", b.Used())
	}
}

type closeOnly struct{ ch chan struct{} }

func (c closeOnly) Close() error                                 { close(c.ch); return nil }
func (closeOnly) Read([]byte) (int, error)                       { return 0, io.EOF }
func (closeOnly) Write(p []byte) (int, error)                    { return len(p), nil }
func (closeOnly) WriteVec([][]byte) (int64, error)               { return 0, nil }
func (closeOnly) SendFile(vfs.File, int64, int64) (int64, error) { return 0, nil }
func (closeOnly) SetReadTimeout(time.Duration) error             { return nil }
func (closeOnly) SetWriteTimeout(time.Duration) error            { return nil }
func (closeOnly) LocalAddr() string                              { return "" }
func (closeOnly) RemoteAddr() string                             { return "" }

// Size classes cover every size with little waste, and find themselves again.
func TestSizeClasses(t *testing.T) {
	for class := range classCount {
		size := classBytes(class)
		if got, ok := classOf(size); !ok || got != class {
			t.Fatalf("class %d of %d bytes is found as %d, %v", class, size, got, ok)
		}
		for _, n := range []int{size - 1, size} {
			if got := classSize(n); got != size && n > 1<<classBitsMin {
				t.Fatalf("%d bytes get %d, want %d", n, got, size)
			}
		}
		if class > 0 && size > 0 && classBytes(class-1)*2 < size {
			t.Fatalf("class %d is more than twice the one below", class)
		}
	}
	if classSize(1<<classBitsMax+1) != 17<<20 {
		t.Fatalf("the first size without a class gets %d", classSize(1<<classBitsMax+1))
	}
}

// A large frame takes kept memory up to twice its size and is charged all of
// it; where the larger does not fit, it gets its own.
func TestLargerMemoryIsReused(t *testing.T) {
	for name, c := range map[string]struct{ kept, used, want, charged int }{
		"its size":           {6 << 20, 0, 6 << 20, 6 << 20},
		"a little larger":    {7 << 20, 0, 6<<20 - 1, 7 << 20},
		"twice":              {8 << 20, 0, 4 << 20, 8 << 20},
		"more than twice":    {8 << 20, 0, 3 << 20, 3 << 20},
		"a chunk":            {80 << 10, 0, chunkBytesMax, chunkBytesMax},
		"does not fit":       {4 << 20, 29 << 20, 3 << 20, 3 << 20},
		"larger than kept":   {5 << 20, 0, 6 << 20, 6 << 20},
		"beyond the largest": {16 << 20, 0, 17 << 20, 17 << 20},
	} {
		b := NewBudget(manual.New(), 64<<20)
		kept := b.buffer(&arrival{declared: 1}, c.kept)
		b.TakeBack(kept)
		b.used += int64(c.used)
		a := &arrival{declared: smallFrameBytesMax + 1}
		got := b.buffer(a, c.want)
		if len(got) != c.charged || cap(got) != c.charged || a.held != int64(c.charged) || b.used != int64(c.used+c.charged) {
			t.Errorf("%s: %d bytes for %d, %d charged, %d used", name, len(got), c.want, a.held, b.used)
		}
		if reused := &got[0] == &kept[0]; reused != (len(kept) == c.charged) {
			t.Errorf("%s: reused: %t", name, reused)
		}
		if left := int64(len(kept)); len(kept) != c.charged && b.pooledSize != left || len(kept) == c.charged && b.pooledSize != 0 {
			t.Errorf("%s: %d bytes are kept", name, b.pooledSize)
		}
	}
}

// What is used and what is kept for reuse never exceed the budget together.
func TestPoolYieldsToUse(t *testing.T) {
	b := NewBudget(manual.New(), 16<<20)
	a := &arrival{declared: 1}
	first := b.buffer(a, 4<<20)
	b.TakeBack(first)
	if b.pooledSize != 4<<20 {
		t.Fatalf("%d bytes are kept", b.pooledSize)
	}
	a.held = 0
	second := b.buffer(a, 13<<20)
	if b.used+b.pooledSize > b.max {
		t.Fatalf("%d used and %d kept of a budget of %d", b.used, b.pooledSize, b.max)
	}
	b.TakeBack(second)
}

// Giants that wait for each other, and a crowd that trickles, make room for a
// smaller request.
func TestBudgetMakesRoomForSmallerFrames(t *testing.T) {
	for name, declared := range map[string]int64{"giants": 90 << 20, "tricklers": 2 << 20} {
		t.Run(name, func(t *testing.T) {
			clk := manual.New()
			b := NewBudget(clk, 16<<20)
			var attackers []*Conn
			for range 8 {
				c := &Conn{srv: &Server{budget: b}, tc: closeOnly{make(chan struct{})}, closed: make(chan struct{})}
				c.drained.L = &c.mu
				c.arr.conn, c.arr.declared = c, declared
				b.begin(&c.arr)
				attackers = append(attackers, c)
				if b.buffer(&c.arr, 1<<20) == nil {
					t.Fatal("no memory")
				}
				if declared <= smallFrameBytesMax && b.buffer(&c.arr, 1<<20) == nil {
					t.Fatal("no memory")
				}
			}
			done := make(chan []byte)
			good := &arrival{conn: &Conn{}, declared: 1 << 20}
			if declared > smallFrameBytesMax {
				good.declared = 3 << 20
			}
			go func() { done <- b.buffer(good, 1<<20) }()
			for waits := false; !waits; {
				b.mu.Lock()
				waits = len(b.waiters[0])+len(b.waiters[1]) == 1
				b.mu.Unlock()
			}
			clk.Advance(stalledAfter)
			for _, c := range attackers { // one byte more, so that nobody stalls
				c.arr.progress.Store(int64(clk.Mono()))
			}
			b.sweep()
			evicted := 0
			for _, c := range attackers {
				if c.gone.Load() {
					evicted++
					b.TakeBack(make([]byte, 1<<20))
				}
			}
			if evicted != 1 {
				t.Fatalf("%d attackers were evicted for one request", evicted)
			}
			if buf := <-done; len(buf) != 1<<20 {
				t.Fatalf("the smaller request got %d bytes", len(buf))
			}
		})
	}
}

// crowd registers frames that hold bytes each.
func crowd(t *testing.T, b *Budget, count int, declared int64, bytes int) (all []*arrival) {
	t.Helper()
	for i := range count {
		c := writer(uint64(i))
		c.srv.budget = b
		c.arr.conn, c.arr.declared = c, declared
		b.begin(&c.arr)
		if b.buffer(&c.arr, bytes) == nil {
			t.Fatal("no memory")
		}
		all = append(all, &c.arr)
	}
	return all
}

// more asks for memory for each of the frames, and waits until all wait.
func more(b *Budget, all []*arrival, bytes int) <-chan *arrival {
	got := make(chan *arrival, len(all))
	for _, a := range all {
		go func() {
			if b.buffer(a, bytes) != nil {
				got <- a
			} else {
				got <- nil
			}
		}()
	}
	for waits := 0; waits < len(all); {
		b.mu.Lock()
		waits = len(b.waiters[0]) + len(b.waiters[1])
		b.mu.Unlock()
	}
	return got
}

// Frames of one size that fill what large frames may have, and all wait for
// more, are thinned out, a bounded number in a round.
func TestBudgetThinsOutADeadlock(t *testing.T) {
	clk := manual.New()
	b := NewBudget(clk, 16<<20)
	all := crowd(t, b, 7, 90<<20, 1<<20) // the eighth MiB of the half is free, but too little
	all = append(all, crowd(t, b, 15, 90<<20, 64<<10)...)
	all = append(all, crowd(t, b, 1, 90<<20, 16<<10)...)
	got := more(b, all, 64<<10)
	clk.Advance(starvedAfter)
	b.sweep()
	ended := map[*arrival]bool{}
	for _, a := range all {
		if a.conn.gone.Load() {
			ended[a] = true
			b.disown(a, a.held)
		}
	}
	if len(ended) == 0 || len(ended) > evictionsMax {
		t.Fatalf("%d of %d frames that wait for each other were evicted", len(ended), len(all))
	}
	for range ended {
		if a := <-got; a != nil {
			t.Fatal("memory was given before any was free")
		}
	}
	b.mu.Lock()
	b.used = 0
	b.grant()
	b.mu.Unlock()
	for range len(all) - len(ended) {
		if <-got == nil {
			t.Fatal("a frame that was not evicted got nothing")
		}
	}
}

// Room for many wakes one of them, who wakes the next.
func TestBudgetWakesOneAfterTheOther(t *testing.T) {
	b := NewBudget(manual.New(), 16<<20)
	fill := crowd(t, b, 2, 1<<20, 8<<20)
	b.mu.Lock()
	for range 3 {
		w := &budgetWaiter{arr: &arrival{declared: 1}, n: 1 << 10, ready: make(chan bool, 1)}
		b.waiters[0] = append(b.waiters[0], w)
	}
	waiters := append([]*budgetWaiter(nil), b.waiters[0]...)
	b.mu.Unlock()
	for _, a := range fill { // both make room
		a.conn.giveBack(a, make([]byte, 8<<20))
	}
	if len(waiters[0].ready) != 1 || len(waiters[1].ready) != 0 {
		t.Fatal("want the first waiter awake, and no other")
	}
	b.mu.Lock()
	b.waking = false
	b.grant()
	b.mu.Unlock()
	if len(waiters[1].ready) != 1 || len(waiters[2].ready) != 0 {
		t.Fatal("want the second waiter awake, and no other")
	}
}

// A frame whose client leaves while it is gathered gives everything back.
func TestHalfFrameGivesEverythingBack(t *testing.T) {
	r := newRig(t, 64<<20)
	c := r.dial(t)
	if _, err := c.Write(append([]byte{0, 0x20, 0, 0}, make([]byte, 500<<10)...)); err != nil {
		t.Fatal(err)
	}
	for r.srv.budget.Used() < 500<<10 {
		runtime.Gosched()
	}
	if used := r.srv.budget.Used(); used > 600<<10 {
		t.Errorf("%d bytes are charged for 500 KiB that arrived", used)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for r.srv.budget.Used() > 0 {
		runtime.Gosched()
	}
}
