// Package restart measures a server's way from exec to service, and what it
// holds in memory when nothing happens: with an empty directory, and after
// SIGKILL under load with many partitions.
//
// Times count from just before exec to the first whole answer over the wire,
// asked for again and again by one connection after the other.
package restart

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/moldau/moldau/bench/await"
	"github.com/moldau/moldau/bench/load"
	"github.com/moldau/moldau/bench/peer"
	"github.com/moldau/moldau/bench/proc"
)

// Starter starts a server on a data directory, new or used.
type Starter func(data string) (*peer.Server, error)

// Result is one start, a line of the JSON file.
type Result struct {
	Part   string `json:"part"` // "start"
	System string `json:"system"`
	What   string `json:"what"` // "empty", "idle" or "killed"
	Round  int    `json:"round"`
	// MetadataMs: exec to the first Metadata answer. ServedMs: exec until every
	// partition tells where it ends. ProducedMs: exec until every partition has
	// acknowledged a record since.
	MetadataMs float64 `json:"metadata_ms,omitempty"`
	ServedMs   float64 `json:"served_ms,omitempty"`
	ProducedMs float64 `json:"produced_ms,omitempty"`
	RSSBytes   int64   `json:"rss_bytes"`
	Partitions int     `json:"partitions,omitempty"`
	// Acked records before the kill; Kept says that each partition ends at or
	// above its last one (promised at `sync` only).
	Acked int64 `json:"acked,omitempty"`
	Kept  bool  `json:"kept,omitempty"`
	// OthersShare of the machine (0 to 1) from exec to service.
	OthersShare float64 `json:"others_share"`
	TooBusy     bool    `json:"too_busy"`
}

// Config of the measurements of one system.
type Config struct {
	System    string
	Start     Starter
	Path      string // an empty folder
	OthersMax float64
	Emit      func(Result) error
}

const (
	// pollEvery is the pause between two questions of whether a server serves:
	// what the times are exact to.
	pollEvery = 500 * time.Microsecond
	// serveTimeout bounds a start.
	serveTimeout = 5 * time.Minute
)

// start starts a server, waits for the first Metadata answer and then for ready.
func (c *Config) start(data string, ready func(*peer.Server) error) (*peer.Server, Result, error) {
	r := Result{Part: "start", System: c.System}
	before, err := proc.Real().Read(time.Now, 0, os.Getpid())
	if err != nil {
		return nil, r, err
	}
	server, err := c.Start(data)
	if err != nil {
		return nil, r, err
	}
	if err = server.Await(serveTimeout, pollEvery, func() error { return metadata(server) }); err == nil {
		r.MetadataMs = ms(time.Since(server.Exec))
		if err = ready(server); err == nil {
			r.ServedMs = ms(time.Since(server.Exec))
			err = c.account(server, before, &r)
		}
	}
	if err != nil {
		server.Kill()
		return nil, r, err
	}
	return server, r, nil
}

// account fills in memory and the share of others. The server began after the
// first reading: its time is all that it has used.
func (c *Config) account(server *peer.Server, before proc.Reading, r *Result) error {
	after, err := proc.Real().Read(time.Now, 0, os.Getpid())
	if err != nil {
		return err
	}
	p, err := proc.Real().Process(server.PID)
	if err != nil {
		return err
	}
	m, err := proc.Real().Memory(server.PID)
	if err != nil {
		return err
	}
	r.RSSBytes = m.RSS
	r.OthersShare = after.Since(before).Without(p.CPU).OthersShare
	r.TooBusy = r.OthersShare > c.OthersMax
	return nil
}

func metadata(server *peer.Server) error {
	w, err := peer.Dial(server.Addr)
	if err != nil {
		return err
	}
	defer w.Close()
	_, err = w.Metadata(false)
	return err
}

// Empty starts the server rounds times with an empty directory; the last one
// is left alone for idle and its memory read again.
func (c *Config) Empty(ctx context.Context, rounds int, idle time.Duration) (results []Result, err error) {
	for round := range rounds {
		if err := ctx.Err(); err != nil {
			return results, err
		}
		data := filepath.Join(c.Path, fmt.Sprintf("empty-%d", round))
		server, r, err := c.start(data, func(*peer.Server) error { return nil })
		if err != nil {
			return results, err
		}
		r.What, r.Round, r.ServedMs = "empty", round, 0
		results = append(results, r)
		if err = c.Emit(r); err == nil && round == rounds-1 {
			await.Pass(idle)
			r, err = c.idle(server)
			results = append(results, r)
		}
		server.Kill()
		if err != nil {
			return results, err
		}
		if err := os.RemoveAll(data); err != nil {
			return results, err
		}
	}
	return results, nil
}

func (c *Config) idle(server *peer.Server) (Result, error) {
	m, err := proc.Real().Memory(server.PID)
	if err != nil {
		return Result{}, err
	}
	r := Result{Part: "start", System: c.System, What: "idle", RSSBytes: m.RSS}
	return r, c.Emit(r)
}

// Killed fills s.Partitions partitions, and then rounds times loads the server
// for pressure, kills it with SIGKILL and starts it again.
func (c *Config) Killed(ctx context.Context, s load.Scenario, rounds int, pressure time.Duration) (results []Result, err error) {
	data := filepath.Join(c.Path, "killed")
	server, _, err := c.start(data, func(*peer.Server) error { return nil })
	if err != nil {
		return nil, err
	}
	defer func() { server.Kill() }()
	topic, err := load.Fill(ctx, load.Target{Addrs: []string{server.Addr}, Data: []string{server.Data}}, s)
	if err != nil {
		return nil, err
	}
	for round := range rounds {
		if err := ctx.Err(); err != nil {
			return results, err
		}
		press, err := load.StartPress(load.Target{Addrs: []string{server.Addr}}, topic, s.Partitions)
		if err != nil {
			return results, err
		}
		under := press.Await(int64(s.Partitions))
		await.Pass(pressure)
		acked, acks, err := press.Stop(server.Kill)
		if err = errors.Join(under, err); err != nil {
			return results, fmt.Errorf("load before the kill: %w", err)
		}
		var ends []int64
		next, r, err := c.start(data, func(server *peer.Server) error {
			return server.Await(serveTimeout, pollEvery, func() (err error) {
				ends, err = endOffsets(server, topic, s.Partitions)
				return err
			})
		})
		if err != nil {
			return results, err
		}
		server = next
		if err := produced(server, topic, s.Partitions); err != nil {
			return results, err
		}
		r.ProducedMs = ms(time.Since(server.Exec))
		r.What, r.Round, r.Partitions, r.Acked, r.Kept = "killed", round, s.Partitions, acks, reaches(ends, acked)
		results = append(results, r)
		if err := c.Emit(r); err != nil {
			return results, err
		}
	}
	return results, nil
}

// reaches reports whether every end is at or above what was acknowledged.
func reaches(ends, acked []int64) bool {
	for i, end := range ends {
		if end < acked[i] {
			return false
		}
	}
	return len(ends) == len(acked)
}

func endOffsets(server *peer.Server, topic string, n int) ([]int64, error) {
	w, err := peer.Dial(server.Addr)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	return w.EndOffsets(topic, n)
}

// produced waits until each partition has acknowledged a record.
func produced(server *peer.Server, topic string, n int) error {
	left := make([]int32, n)
	for i := range left {
		left[i] = int32(i)
	}
	return server.Await(serveTimeout, pollEvery, func() error {
		w, err := peer.Dial(server.Addr)
		if err != nil {
			return err
		}
		defer w.Close()
		if left, err = w.Produce(topic, left); err == nil && len(left) > 0 {
			err = fmt.Errorf("%d partitions take no record", len(left))
		}
		return err
	})
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
