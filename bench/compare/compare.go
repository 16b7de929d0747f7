package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/moldau/moldau/bench/await"
	"github.com/moldau/moldau/bench/load"
	"github.com/moldau/moldau/bench/peer"
	"github.com/moldau/moldau/bench/proc"
)

// Config of a comparison.
type Config struct {
	Part   string // "compare" or "cluster"
	Moldau *peer.Cluster
	Kafka  *peer.Cluster // nil without
	// Rounds of every scenario; Retries of a run that met a busy machine.
	Rounds, Retries int
	// OthersMax is the share of the machine (0 to 1) up to which a run counts.
	OthersMax float64
	Sync      bool // Moldau at sync beside
	// Emit takes every run, Say a line for people.
	Emit func(Run) error
	Say  func(format string, args ...any)
}

// systems are the sides of a round in the order of their turns: who is first
// changes, so that neither always meets the other's leftovers.
func (c *Config) systems(s load.Scenario, round int) []System {
	order := []System{MoldauOS}
	if c.Kafka != nil {
		order = append(order, Kafka)
		if round%2 == 1 {
			order[0], order[1] = order[1], order[0]
		}
	}
	if c.Sync && s.Kind != load.Consume { // what is read is the same
		order = append(order, MoldauSync)
	}
	return order
}

// side is the nodes and the driver's target of a system. Several nodes have a
// replica each, and two of them acknowledge.
func (c *Config) side(system System) (*peer.Cluster, load.Target) {
	nodes, topic := c.Moldau, map[string]string{}
	switch system {
	case Kafka:
		nodes = c.Kafka
	case MoldauSync:
		topic["moldau.durability"] = "sync"
	default:
		topic["moldau.durability"] = "os"
	}
	if len(nodes.Nodes) > 1 {
		topic["min.insync.replicas"] = "2"
	}
	return nodes, load.Target{Addrs: nodes.Addrs(), Data: nodes.Data(), Prefix: string(system) + "-", Topic: topic}
}

// warmSlice is the part of a scenario's amount that warms a server at a time.
const warmSlice = 0.05

// Warm runs the scenarios against both servers in turn, each for at least d.
func (c *Config) Warm(ctx context.Context, scenarios []load.Scenario, d time.Duration) error {
	for _, system := range c.systems(load.Scenario{Kind: load.Consume}, 0) {
		_, target := c.side(system)
		target.Prefix = "warm-" + target.Prefix
		c.Say("warming %s for %s", system, d)
		for began := time.Now(); time.Since(began) < d; {
			for _, s := range scenarios {
				s = s.Scale(warmSlice)
				if _, err := load.Run(ctx, target, s, func(part func() error) error { return part() }); err != nil {
					return fmt.Errorf("warm %s: %w", system, err)
				}
				if s.Kind == load.Consume {
					if err := load.Forget(ctx, target, s); err != nil {
						return fmt.Errorf("warm %s: %w", system, err)
					}
				}
				if time.Since(began) >= d {
					break
				}
			}
		}
	}
	return nil
}

// Scenario runs all rounds of one scenario and returns every run. A side that
// fails ends the scenario.
func (c *Config) Scenario(ctx context.Context, s load.Scenario) (runs []Run, err error) {
	defer func() {
		if s.Kind == load.Consume {
			for _, system := range c.systems(s, 0) {
				_, target := c.side(system)
				err = errors.Join(err, load.Forget(ctx, target, s))
			}
		}
	}()
	for round := range c.Rounds {
		for _, system := range c.systems(s, round) {
			for attempt := 0; ; attempt++ {
				run, err := c.one(ctx, s, system)
				if err != nil {
					return runs, fmt.Errorf("%s on %s: %w", s.Name, system, err)
				}
				run.Round, run.Attempt = round, attempt
				runs = append(runs, run)
				if err := c.Emit(run); err != nil {
					return runs, err
				}
				c.Say("%-11s %-11s round %d: %7.1f MB/s, %7.2f CPU-s/GB, %7.1f CPU-µs/record, driver %.1f CPU-s, others %2.0f %%%s",
					s.Name, system, round+1, run.MBPerS, run.CPUPerGB, run.CPUPerMillion, run.DriverCPUS, 100*run.OthersShare, busyMark(run))
				if !run.TooBusy || attempt >= c.Retries {
					break
				}
			}
		}
	}
	return runs, nil
}

func busyMark(r Run) string {
	if r.TooBusy {
		return ", too busy"
	}
	return ""
}

// settle is the pause before a run, after everything written is on disk.
const settle = 500 * time.Millisecond

// one measures one run.
func (c *Config) one(ctx context.Context, s load.Scenario, system System) (Run, error) {
	servers, target := c.side(system)
	at := time.Now()
	var usage proc.Usage
	result, err := load.Run(ctx, target, s, func(part func() error) error {
		syscall.Sync() // what earlier runs wrote is not this one's to write back
		await.Pass(settle)
		before, err := proc.Real().Read(time.Now, os.Getpid(), servers.PIDs()...)
		if err != nil {
			return err
		}
		if err := part(); err != nil {
			return err
		}
		after, err := proc.Real().Read(time.Now, os.Getpid(), servers.PIDs()...)
		usage = after.Since(before)
		return err
	})
	if err != nil {
		return Run{}, err
	}
	var memory proc.Memory
	for _, pid := range servers.PIDs() {
		m, err := proc.Real().Memory(pid)
		if err != nil {
			return Run{}, err
		}
		memory.RSS, memory.PeakRSS = memory.RSS+m.RSS, memory.PeakRSS+m.PeakRSS
	}
	run := newRun(s, result, usage, memory, c.OthersMax)
	run.Part, run.At, run.System = c.Part, at, system
	return run, nil
}
