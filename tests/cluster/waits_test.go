package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moldau/moldau/tests/node"
)

const (
	// patience is how long any wait may take before the test fails. It is no
	// measurement: a busy machine must not fail a test.
	patience = 2 * time.Minute
	// slow is how long one may take before the test's log says what it is for.
	slow = 5 * time.Second
	// lookEvery is the time between two looks at what is waited for, and lookMax
	// the longest that one may take.
	lookEvery, lookMax = 20 * time.Millisecond, 5 * time.Second
)

// await looks again and again until nothing is missing. A wait beyond patience
// ends the test with what it was for and what was missing last, and so does
// whatever else is wrong, at once.
func (c *chaos) await(what string, missing func(ctx context.Context) string) {
	c.t.Helper()
	var wrong error
	took, err := awaited(what, patience, func(ctx context.Context) string {
		if wrong = errors.Join(c.cluster.Fallen(), c.load.wrong()); wrong != nil {
			return ""
		}
		return missing(ctx)
	}, func(took time.Duration, last string) {
		c.t.Logf("%6.2fs has waited %s for %s: %s", c.at(), took, what, last)
	})
	if err = errors.Join(err, wrong); err != nil {
		c.t.Fatalf("%6.2fs %v", c.at(), err)
	}
	if took >= slow {
		c.t.Logf("%6.2fs waited %s for %s", c.at(), took.Round(time.Millisecond), what)
	}
}

// awaited is await with its bound; tell is told of a wait when it has become slow,
// and then each time that it has taken twice as long.
func awaited(what string, bound time.Duration, missing func(ctx context.Context) string, tell func(took time.Duration, last string)) (time.Duration, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	for next := slow; ; {
		look, done := context.WithTimeout(ctx, lookMax)
		last := missing(look)
		done()
		took := time.Since(began)
		if last == "" {
			return took, nil
		}
		if took >= next {
			tell(took.Round(time.Millisecond), last)
			next *= 2
		}
		select {
		case <-ctx.Done():
			return took, fmt.Errorf("waited %s for %s: %s", bound, what, last)
		case <-time.After(lookEvery):
		}
	}
}

// at is the run's time in seconds.
func (c *chaos) at() float64 { return float64(c.load.record.now()) / 1e9 }

// acked waits for more acknowledgements.
func (c *chaos) acked(n int) {
	c.t.Helper()
	until := c.load.record.acknowledged() + n
	c.await(fmt.Sprint(n, " more acknowledged appends"), func(context.Context) string {
		if left := until - c.load.record.acknowledged(); left > 0 {
			return fmt.Sprint(left, " are not")
		}
		return ""
	})
}

// whole waits until all replicas are in sync.
func (c *chaos) whole() {
	c.t.Helper()
	var names []string
	for _, t := range c.load.topics {
		names = append(names, t.name)
	}
	c.await("all replicas to be in sync", func(ctx context.Context) string {
		missing, err := node.Whole(ctx, c.admin, names...)
		if err != nil {
			return err.Error()
		}
		return missing
	})
}

// progress waits until clients have each finished something that they began
// after a moment.
func (c *chaos) progress(since int64, clients ...string) {
	c.t.Helper()
	c.await("clients to get on", func(context.Context) string {
		var idle []string
		for _, name := range clients {
			if !c.load.record.progressed(name, since) {
				idle = append(idle, name)
			}
		}
		if idle != nil {
			return strings.Join(idle, ", ") + " did not"
		}
		return ""
	})
}

// ended waits for the end of all clients, which were told to end.
func (c *chaos) ended() {
	c.t.Helper()
	c.await("clients to end", c.load.running)
}

// giveUp ends the clients of a run that failed, whatever becomes of their records.
func (c *chaos) giveUp() {
	for _, end := range c.load.closers {
		end()
	}
	if _, err := awaited("clients to end that were closed", patience, c.load.running, func(time.Duration, string) {}); err != nil {
		c.t.Error(err)
	}
}

// keepLogs writes the nodes' logs, and what their goroutines do, to a folder.
func (c *chaos) keepLogs(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for id := int32(1); id <= node.Nodes; id++ {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("node-%d.log", id)), []byte(c.cluster.Log(id)), 0o644); err != nil {
			return err
		}
		n := c.cluster.Node(id)
		if n == nil {
			continue
		}
		stacks, err := n.Goroutines()
		if err != nil {
			stacks = err.Error() // it may hang, which is why one looks
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("node-%d.goroutines", id)), []byte(stacks), 0o644); err != nil {
			return err
		}
	}
	return nil
}
