// Package replicas measures what many partitions cost a cluster of three nodes
// when nothing happens to them, and what their number makes of changes: how long
// it takes to create them, what an idle replica holds in memory, and how soon a
// node that was killed with SIGKILL is in every ISR again.
//
// Each round has a cluster of its own, with empty directories.
package replicas

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/moldau/moldau/bench/await"
	"github.com/moldau/moldau/bench/peer"
	"github.com/moldau/moldau/bench/proc"
)

// Result is one cluster's life, a line of the JSON file.
type Result struct {
	Part       string `json:"part"` // "replicas"
	System     string `json:"system"`
	Round      int    `json:"round"` // from 0
	Partitions int    `json:"partitions"`
	// From the request to its answer, until every leader tells where its
	// partitions end, and until every partition has acknowledged a record.
	AnsweredMs float64 `json:"create_answered_ms"`
	ServedMs   float64 `json:"create_served_ms"`
	WrittenMs  float64 `json:"create_written_ms"`
	// All nodes together, per replica: resident memory, and of Moldau what is
	// live after a collection (heap and stacks).
	RSSPerReplica  float64 `json:"rss_bytes_per_replica"`
	LivePerReplica float64 `json:"live_bytes_per_replica,omitempty"`
	// IdleCPU is the processor time of all nodes in a second of rest.
	IdleCPUS float64 `json:"idle_cpu_s_per_s"`
	// From exec of the killed node until it tells clients of all nodes, and
	// until it is in the ISR of every partition, each of which took a record
	// meanwhile.
	BackMs   float64 `json:"back_ms"`
	InSyncMs float64 `json:"in_sync_ms"`
	// OthersShare of the machine (0 to 1), the worst of creation and return.
	OthersShare float64 `json:"others_share"`
	TooBusy     bool    `json:"too_busy"`
}

// Config of the measurement of one system.
type Config struct {
	System     string
	Start      func(data string) (*peer.Cluster, error)
	Partitions int
	Idle       time.Duration // rest before memory is read
	OthersMax  float64
}

const (
	topic = "many"
	// nodes and replicas of each partition.
	nodes = 3
	// pollEvery is the pause between two questions: what the times are exact to.
	pollEvery = 2 * time.Millisecond
	// timeout bounds each step.
	timeout = 5 * time.Minute
)

// Round starts a cluster in the folder data, which it removes, and measures.
func (c *Config) Round(ctx context.Context, round int, data string) (r Result, err error) {
	r = Result{Part: "replicas", System: c.System, Round: round, Partitions: c.Partitions}
	cluster, err := c.Start(data)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, cluster.Stop(), os.RemoveAll(data)) }()
	if err := cluster.Await(timeout); err != nil {
		return r, err
	}
	for _, step := range []func(*peer.Cluster, *Result) error{c.memoryOfCreated, c.killAndReturn} {
		if err = ctx.Err(); err == nil {
			err = step(cluster, &r)
		}
		if err != nil {
			return r, err
		}
	}
	r.TooBusy = r.OthersShare > c.OthersMax
	return r, nil
}

// memoryOfCreated creates the topic and reads the memory before and after.
func (c *Config) memoryOfCreated(cluster *peer.Cluster, r *Result) error {
	await.Pass(c.Idle)
	before, err := memory(cluster)
	if err != nil {
		return err
	}
	err = c.undisturbed(cluster, r, func() error { return create(cluster, c.Partitions, r) })
	if err != nil {
		return fmt.Errorf("create %d partitions: %w", c.Partitions, err)
	}
	await.Pass(c.Idle)
	began, cpu := time.Now(), cpuOf(cluster)
	await.Pass(c.Idle)
	r.IdleCPUS = (cpuOf(cluster) - cpu).Seconds() / time.Since(began).Seconds()
	after, err := memory(cluster)
	if err != nil {
		return err
	}
	replicas := float64(c.Partitions * nodes)
	r.RSSPerReplica = float64(after.rss-before.rss) / replicas
	r.LivePerReplica = float64(after.live-before.live) / replicas
	return nil
}

// undisturbed runs f and notes what others had of the machine.
func (c *Config) undisturbed(cluster *peer.Cluster, r *Result, f func() error) error {
	before, err := proc.Real().Read(time.Now, os.Getpid(), cluster.PIDs()...)
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	after, err := proc.Real().Read(time.Now, os.Getpid(), cluster.PIDs()...)
	r.OthersShare = max(r.OthersShare, after.Since(before).OthersShare)
	return err
}

func create(cluster *peer.Cluster, partitions int, r *Result) error {
	began := time.Now()
	w, err := peer.Dial(cluster.Nodes[0].Addr)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.CreateTopic(topic, int32(partitions), nodes); err != nil {
		return err
	}
	r.AnsweredMs = ms(time.Since(began))
	left := partitions
	ask := func(w *peer.Wire, led []int32) error {
		ends, err := w.Ends(topic, led)
		left -= len(ends)
		return err
	}
	err = retry(func() error {
		left = partitions
		if err := onLeaders(cluster, w, ask); err != nil || left > 0 {
			return errors.Join(err, fmt.Errorf("%d partitions are not served", left))
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.ServedMs = ms(time.Since(began))
	err = write(cluster, w, partitions)
	r.WrittenMs = ms(time.Since(began))
	return err
}

// write has every partition acknowledge a record. w is to a node that is there.
func write(cluster *peer.Cluster, w *peer.Wire, partitions int) error {
	done := make(map[int32]bool, partitions)
	return retry(func() error {
		err := onLeaders(cluster, w, func(w *peer.Wire, led []int32) error {
			var open []int32
			for _, p := range led {
				if !done[p] {
					open = append(open, p)
				}
			}
			if len(open) == 0 {
				return nil
			}
			left, err := w.Produce(topic, open)
			for _, p := range open {
				done[p] = true
			}
			for _, p := range left {
				delete(done, p)
			}
			return err
		})
		if len(done) < partitions {
			return errors.Join(err, fmt.Errorf("%d of %d partitions have taken a record", len(done), partitions))
		}
		return nil
	})
}

// onLeaders asks w who leads, and calls f for each node with what it leads.
func onLeaders(cluster *peer.Cluster, w *peer.Wire, f func(*peer.Wire, []int32) error) error {
	partitions, err := w.Topic(topic)
	if err != nil {
		return err
	}
	led := make([][]int32, len(cluster.Nodes))
	for _, p := range partitions {
		if p.Leader >= 1 && int(p.Leader) <= len(led) {
			led[p.Leader-1] = append(led[p.Leader-1], p.Partition)
		}
	}
	for i, list := range led {
		if len(list) == 0 {
			continue
		}
		leader, dialErr := peer.Dial(cluster.Nodes[i].Addr)
		if dialErr != nil {
			err = errors.Join(err, dialErr) // it may have just been killed
			continue
		}
		err = errors.Join(err, f(leader, list))
		leader.Close()
	}
	return err
}

// killAndReturn kills the last node, writes to every partition without it, and
// starts it again.
func (c *Config) killAndReturn(cluster *peer.Cluster, r *Result) error {
	last := len(cluster.Nodes) - 1
	w, err := peer.Dial(cluster.Nodes[0].Addr)
	if err != nil {
		return err
	}
	defer w.Close()
	cluster.Nodes[last].Kill()
	if err := write(cluster, w, c.Partitions); err != nil {
		return fmt.Errorf("write without a node: %w", err)
	}
	if err := cluster.Restart(last); err != nil {
		return err
	}
	node := cluster.Nodes[last]
	err = c.undisturbed(cluster, r, func() error {
		if err := node.Await(timeout, pollEvery, func() error { return node.Knows(nodes) }); err != nil {
			return err
		}
		r.BackMs = ms(time.Since(node.Exec))
		return retry(func() error { return inSync(w, c.Partitions) })
	})
	r.InSyncMs = ms(time.Since(node.Exec))
	return err
}

// inSync fails unless every partition has all replicas in its ISR.
func inSync(w *peer.Wire, partitions int) error {
	list, err := w.Topic(topic)
	if err != nil {
		return err
	}
	whole := 0
	for _, p := range list {
		if len(p.ISR) == nodes {
			whole++
		}
	}
	if whole != partitions {
		return fmt.Errorf("%d of %d partitions have all replicas in sync", whole, partitions)
	}
	return nil
}

func retry(f func() error) error { return await.Until(timeout, pollEvery, f) }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
