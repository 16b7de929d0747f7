// Package inbox is the bounded many-to-one queue by which every loop of the
// broker (shard, disk worker, controller) receives its messages: a mutex, a
// slice that the consumer swaps against an empty one, and a one-slot wake.
//
// One goroutine consumes; any number produce. The consumer takes everything
// that waits in one turn, which is what makes group commit and coalesced
// replies fall out for free.
package inbox

import (
	"sync"

	"github.com/moldau/moldau/internal/yield"
)

// Inbox is a bounded queue of T. Make it with New.
type Inbox[T any] struct {
	mu     sync.Mutex
	space  sync.Cond // waits for room
	queue  []T
	max    int
	closed bool
	wake   chan struct{}
}

// New returns an empty inbox that holds at most maxLen items; maxLen is at least 1.
func New[T any](maxLen int) *Inbox[T] {
	in := &Inbox[T]{max: max(maxLen, 1), wake: make(chan struct{}, 1)}
	in.space.L = &in.mu
	return in
}

// Put appends item and wakes the consumer. It waits while the inbox is full
// and reports false when the inbox is closed: the item was not taken.
func (in *Inbox[T]) Put(item T) bool {
	yield.Point()
	in.mu.Lock()
	for len(in.queue) >= in.max && !in.closed {
		in.space.Wait()
	}
	return in.push(item)
}

// Offer is Put past the bound: it never waits. It is for messages that answer
// work already admitted (completions, replies), whose number that work bounds.
func (in *Inbox[T]) Offer(item T) bool {
	yield.Point()
	in.mu.Lock()
	return in.push(item)
}

// TryPut appends item unless the inbox is full or closed.
func (in *Inbox[T]) TryPut(item T) bool {
	yield.Point()
	in.mu.Lock()
	if len(in.queue) >= in.max {
		in.mu.Unlock()
		return false
	}
	return in.push(item)
}

// push ends what Put, Offer and TryPut began. It unlocks mu.
func (in *Inbox[T]) push(item T) bool {
	if in.closed {
		in.mu.Unlock()
		return false
	}
	in.queue = append(in.queue, item)
	first := len(in.queue) == 1
	in.mu.Unlock()
	if first {
		select {
		case in.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// Wake is ready when items may wait, or the inbox was closed. The consumer
// selects on it together with its timer, then calls Take.
func (in *Inbox[T]) Wake() <-chan struct{} { return in.wake }

// Take swaps the waiting items against buf[:0], whose items the consumer is
// done with. It never waits. open is false once the inbox is closed and empty.
func (in *Inbox[T]) Take(buf []T) (items []T, open bool) {
	yield.Point()
	clear(buf)
	in.mu.Lock()
	items, in.queue = in.queue, buf[:0]
	open = !in.closed || len(items) > 0
	in.mu.Unlock()
	in.space.Broadcast()
	return items, open
}

// Close refuses further items and wakes everyone. Items that wait stay.
func (in *Inbox[T]) Close() {
	in.mu.Lock()
	in.closed = true
	in.mu.Unlock()
	in.space.Broadcast()
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// Len is the number of items that wait.
func (in *Inbox[T]) Len() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.queue)
}
