package uplink

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrTimeout: no active controller answered in time. Whether the request took
// effect is not known.
var ErrTimeout = errors.New("no answer of the active controller in time")

// Forward sends a request to the active controller, in the version that it
// has, and returns the answer, in the same version. A request that was not
// answered is sent again until timeout is over, as Kafka's brokers do: one
// that is not idempotent may then be answered by what its first try did.
// Any number of goroutines may call it; beyond a bound they wait for each other.
func (u *Uplink) Forward(req kmsg.Request, timeout time.Duration) (kmsg.Response, error) {
	until := u.cfg.Clock.Mono().Add(timeout)
	select {
	case u.slots <- struct{}{}:
		defer func() { <-u.slots }()
	case <-u.stop:
		return nil, ErrClosed
	}
	var b backoff
	name := kmsg.NameForKey(req.Key())
	for {
		left := until.Sub(u.cfg.Clock.Mono())
		if left <= 0 {
			return nil, fmt.Errorf("forward %s: %w", name, ErrTimeout)
		}
		l, resp, err := u.ask(u.takeIdle(), req, left)
		u.putIdle(l)
		if err == nil {
			return resp, nil
		}
		if u.closed() || !u.wait(&b, name, err) {
			return nil, ErrClosed
		}
	}
}

// takeIdle is an open connection that nobody uses, or nil.
func (u *Uplink) takeIdle() *link {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := len(u.idle)
	if n == 0 {
		return nil
	}
	l := u.idle[n-1]
	u.idle = u.idle[:n-1]
	return l
}

// putIdle keeps a connection for the next request.
func (u *Uplink) putIdle(l *link) {
	if l == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.idle = append(u.idle, l)
}
