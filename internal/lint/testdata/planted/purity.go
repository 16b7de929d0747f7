// in: broker/replica

package replica

import (
	"context" // want "imports context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip" // want "imports net/netip"
	"os"        // want "imports os"
	"slices"
	"sync/atomic" // want "imports sync/atomic"
	"time"
)

type state struct {
	at    time.Time
	count atomic.Int64
	wake  chan struct{} // want "uses a channel"
	byKey map[string]int
	host  netip.Addr
}

func effects(ctx context.Context, s *state) {
	go effects(ctx, s) // want "starts a goroutine"
	select {           // want "selects among channels"
	default:
	}
	s.wake <- struct{}{}                   // want "sends to a channel"
	<-s.wake                               // want "receives from a channel"
	s.at = time.Now()                      // want "uses time.Now"
	time.AfterFunc(time.Second, func() {}) // want "uses time.AfterFunc"
	slog.Info("event")                     // want "uses log/slog.Info"
	slog.String("key", os.Args[0])
	rand.N(7) // want "process's random numbers"
	rand.New(rand.NewPCG(1, 2)).IntN(7)
}

func orders[M ~map[string]int](s *state, m M) (keys []string) {
	for key := range s.byKey { // want "range over a map"
		keys = append(keys, key)
	}
	for key := range m { // want "range over a map"
		keys = append(keys, key)
	}
	for key := range maps.Keys(s.byKey) { // want "maps.Keys"
		keys = append(keys, key)
	}
	for _, key := range slices.Sorted(maps.Keys(s.byKey)) {
		keys = append(keys, key)
	}
	for key := range s.byKey { //det:ok sorted below
		keys = append(keys, key)
	}
	//det:ok a sum
	for _, n := range s.byKey {
		s.count.Add(int64(n))
	}
	/* want "gives no reason" */ for key := range s.byKey { //det:ok
		keys = append(keys, key)
	}
	for i := range keys {
		keys[i] = ""
	}
	return keys
}
