package main

import (
	"bufio"
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moldau/moldau/internal/simcore"
)

// Size of the churn.
const (
	churners   = 24
	churnSteps = 1500 // of each: enough for a collection
)

// churning is what the churners share: everything by which a runtime could
// tell one run from another.
type churning struct {
	clock simcore.ProcessTime
	begin time.Time
	out   *bufio.Writer

	mu      sync.Mutex
	rw      sync.RWMutex
	more    *sync.Cond
	letters chan int
	byName  map[string]int
	byPlace map[*int]int
	pool    sync.Pool
	synced  sync.Map
	freed   int
	tokens  int

	steps    int      // of each churner
	noPlaces bool     // no maps whose keys are addresses
	ballast  [][]byte // moves all else in memory
}

// churn keeps many goroutines busy with locks, channels, timers, maps, pools,
// contexts, finalizers and randomness, and prints what they saw.
func churn() {
	c := &churning{
		steps: churnSteps, out: bufio.NewWriterSize(os.Stdout, 1<<16), letters: make(chan int, 4),
		byName: map[string]int{}, byPlace: map[*int]int{},
	}
	c.begin = c.clock.Now()
	c.read(os.Getenv("SIM_OPTIONS"))
	c.more = sync.NewCond(&c.mu)
	c.pool.New = func() any { return new([64]byte) }
	var all sync.WaitGroup
	for id := range churners {
		all.Go(func() {
			for step := range c.steps {
				c.step(id, step)
			}
		})
	}
	all.Wait()
	c.say("end", runtime.NumGoroutine(), c.freed, rand.Uint64())
	if err := c.out.Flush(); err != nil {
		panic(err)
	}
}

// read takes the options: steps=N, ballast=N, places=off.
func (c *churning) read(options string) {
	for option := range strings.FieldsSeq(options) {
		name, value, _ := strings.Cut(option, "=")
		n, err := strconv.Atoi(value)
		switch {
		case option == "places=off":
			c.noPlaces = true
		case name == "steps" && err == nil:
			c.steps = n
		case name == "ballast" && err == nil:
			for i := range 7 * n {
				c.ballast = append(c.ballast, make([]byte, 1+(531*i+97*n)%3000))
			}
		default:
			panic("no option " + option)
		}
	}
}

// say prints one line of what happened.
func (c *churning) say(what ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintln(c.out, append([]any{c.clock.Now().Sub(c.begin).Nanoseconds()}, what...)...)
}

func (c *churning) step(id, step int) {
	switch rand.IntN(8) {
	case 0:
		c.sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
	case 1:
		select {
		case c.letters <- id:
		case letter := <-c.letters:
			c.say(id, "letter of", letter)
		case <-c.after(time.Millisecond):
			c.say(id, "no letter")
		}
	case 2:
		c.names(id, step)
	case 3:
		c.contexts(id)
	case 4:
		b := c.pool.Get().(*[64]byte)
		b[0]++
		c.say(id, "pool", b[0])
		c.pool.Put(b)
	case 5:
		c.garbage(id)
	case 6:
		c.token(id)
	case 7:
		var b [8]byte
		if _, err := crand.Read(b[:]); err != nil {
			panic(err)
		}
		c.say(id, fmt.Sprintf("random %x", b))
	}
}

// after is closed after d.
func (c *churning) after(d time.Duration) <-chan struct{} {
	done := make(chan struct{})
	c.clock.AfterFunc(d, func() { close(done) })
	return done
}

func (c *churning) sleep(d time.Duration) { <-c.after(d) }

// names shows the order of maps, by content and by address.
func (c *churning) names(id, step int) {
	c.rw.Lock()
	defer c.rw.Unlock()
	c.byName[fmt.Sprint("n", id, step%7)] = step
	if !c.noPlaces {
		c.byPlace[new(int)] = id
	}
	c.synced.Store(fmt.Sprint(step%5), id)
	order := ""
	for name := range c.byName {
		order += name
		if len(order) > 20 {
			break
		}
	}
	for place, owner := range c.byPlace {
		order += fmt.Sprint(" ", owner)
		if len(c.byPlace) > 40 {
			delete(c.byPlace, place)
		}
		if len(order) > 60 {
			break
		}
	}
	c.synced.Range(func(key, value any) bool { order += fmt.Sprint(" ", key, value); return true })
	c.say(id, order)
}

// contexts ends a tree of contexts, whose children are told in map order.
func (c *churning) contexts(id int) {
	root, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for child := range 5 {
		ctx, stop := context.WithCancel(root)
		all.Go(func() {
			defer stop()
			<-ctx.Done()
			c.say(id, "told", child)
		})
	}
	c.sleep(time.Microsecond)
	cancel()
	all.Wait()
}

// garbage leaves some of every size behind, with finalizers.
func (c *churning) garbage(id int) {
	kept := make([][]byte, 0, 10)
	for range cap(kept) {
		kept = append(kept, make([]byte, rand.IntN(4<<10)))
	}
	end := &struct{ b []byte }{kept[0]}
	runtime.SetFinalizer(end, func(any) {
		c.mu.Lock()
		c.freed++
		c.mu.Unlock()
	})
	c.say(id, "garbage", len(kept[7]))
}

// token waits on a condition.
func (c *churning) token(id int) {
	c.mu.Lock()
	if id%2 == 0 {
		c.tokens++
		c.more.Signal()
		c.mu.Unlock()
		return
	}
	for tries := 0; c.tokens == 0 && tries < 1; tries++ {
		c.clock.AfterFunc(time.Millisecond, c.more.Broadcast)
		c.more.Wait()
	}
	c.tokens = max(0, c.tokens-1)
	c.mu.Unlock()
	c.say(id, "token")
}
