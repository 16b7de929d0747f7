package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/moldau/moldau/bench/fanout"
)

// syncTime is how long a cell of the table is measured.
const syncTime = 3 * time.Second

// fanout measures acks at `sync` over many partitions.
func (s *session) fanout(ctx context.Context) (err error) {
	emit, closeFile, err := s.lines(partSync)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile()) }()
	cfg := fanout.Config{
		Path: filepath.Join(s.data, "sync"), Partitions: []int{1, 10, 100, 1000, 10000},
		Added: []time.Duration{0, time.Millisecond, 5 * time.Millisecond},
		Time:  syncTime, TurnsMin: 5, OthersMax: s.othersMax,
	}
	if s.quick {
		cfg.Partitions, cfg.Time, cfg.TurnsMin = []int{1, 10, 100, 1000}, 100*time.Millisecond, 3
	}
	cfg.Emit = func(c fanout.Cell) error {
		s.say("sync: plain %v, %g ms added, %5d partitions: %8.0f acks/s, turn p50 %7.2f ms, ack p99 %7.2f ms, others %2.0f %%",
			c.Plain, c.AddedMs, c.Partitions, c.AcksPerS, c.TurnP50Ms, c.AckP99Ms, 100*c.Others)
		return emit(c)
	}
	if err := os.MkdirAll(cfg.Path, 0o755); err != nil {
		return err
	}
	cells, err := fanout.Run(ctx, cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.table, "\nAcks at sync: 1 KiB to each of so many partitions in a turn, the next when all are durable\n")
	return fanout.Print(s.table, cells)
}
