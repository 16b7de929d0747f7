package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/moldau/moldau/bench/load"
	"github.com/moldau/moldau/bench/peer"
	"github.com/moldau/moldau/bench/restart"
)

// starts are the amounts of the measurements of start-up.
type starts struct {
	empty, kafkaEmpty int // starts with an empty directory
	idle, pressure    time.Duration
	killed            int // kills and starts
	scenario          load.Scenario
}

func (s *session) starts() starts {
	// 1,024 records of 10 KiB are a segment of 10 MiB.
	big := load.Scenario{Name: "restart", RecordBytes: 10 << 10, BatchBytes: 1 << 20, Partitions: 2000, Records: 2000 * 1024}
	if s.quick {
		big.Partitions, big.Records = 50, 50*1024
		big = big.Scale(s.scale)
		return starts{empty: 3, kafkaEmpty: 1, idle: time.Second, pressure: time.Second, killed: 1, scenario: big}
	}
	return starts{empty: 20, kafkaEmpty: 5, idle: 10 * time.Second, pressure: 5 * time.Second, killed: 3, scenario: big.Scale(s.scale)}
}

// startup measures start-up and memory of both systems, one after the other.
func (s *session) startup(ctx context.Context) (err error) {
	emit, closeFile, err := s.lines(partStart)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile()) }()
	amounts := s.starts()
	configs := []restart.Config{{System: "moldau", Start: func(data string) (*peer.Server, error) { return peer.Moldau(s.binary, data) }}}
	if s.kafka != nil {
		configs = append(configs, restart.Config{System: "kafka", Start: s.kafka.Start})
	}
	var results []restart.Result
	for i, c := range configs {
		c.Path, c.OthersMax = filepath.Join(s.data, "start-"+c.System), s.othersMax
		c.Emit = func(r restart.Result) error {
			s.say("start: %-6s %-6s round %d: Metadata after %.1f ms, all served after %.0f ms, all written to after %.0f ms, RSS %.1f MB, %d acked and kept: %v, others %.0f %%",
				r.System, r.What, r.Round+1, r.MetadataMs, r.ServedMs, r.ProducedMs, float64(r.RSSBytes)/1e6, r.Acked, r.Kept, 100*r.OthersShare)
			return emit(r)
		}
		if err := os.MkdirAll(c.Path, 0o755); err != nil {
			return err
		}
		rounds := amounts.empty
		if i > 0 {
			rounds = amounts.kafkaEmpty
		}
		got, err := c.Empty(ctx, rounds, amounts.idle)
		results = append(results, got...)
		if err == nil {
			got, err = c.Killed(ctx, amounts.scenario, amounts.killed, amounts.pressure)
			results = append(results, got...)
		}
		if err = errors.Join(err, os.RemoveAll(c.Path)); err != nil {
			return fmt.Errorf("start of %s: %w", c.System, err)
		}
	}
	fmt.Fprintf(s.table, "\nStart-up and memory: medians; %d partitions with %.1f MiB each, killed with SIGKILL under load\n",
		amounts.scenario.Partitions, float64(amounts.scenario.ValueBytes())/float64(amounts.scenario.Partitions)/(1<<20))
	return restart.Print(s.table, results)
}
