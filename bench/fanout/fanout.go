package fanout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/moldau/moldau/bench/proc"
	"github.com/moldau/moldau/bench/stats"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/faultfs"
	"github.com/moldau/moldau/disk/osfs"
)

// Config of the measurement.
type Config struct {
	Path       string // an empty folder
	Partitions []int  // numbers of partitions, ascending
	Added      []time.Duration
	// Time and TurnsMin: a cell runs for Time and at least TurnsMin turns.
	Time     time.Duration
	TurnsMin int
	// OthersMax is the share of the machine up to which a cell counts.
	OthersMax float64
	Emit      func(Cell) error
}

// Cell is one cell of the table, a line of the JSON file.
type Cell struct {
	Part       string  `json:"part"` // "sync"
	Plain      bool    `json:"plain_syncs"`
	AddedMs    float64 `json:"added_ms"`
	Partitions int     `json:"partitions"`
	Turns      int     `json:"turns"`
	AcksPerS   float64 `json:"acks_per_s"`
	TurnP50Ms  float64 `json:"turn_p50_ms"`
	AckP50Ms   float64 `json:"ack_p50_ms"`
	AckP99Ms   float64 `json:"ack_p99_ms"`
	Others     float64 `json:"others_share"`
	TooBusy    bool    `json:"too_busy"`
	// Counters of the log directory, over the cell.
	DirectSyncs    uint64 `json:"direct_syncs"`
	JournalCommits uint64 `json:"journal_commits"`
	JournalBytes   uint64 `json:"journal_bytes"`
}

// warmTurns before the measured ones.
const warmTurns = 2

// Run measures all cells: with the journal, then with plain syncs.
func Run(ctx context.Context, cfg Config) (cells []Cell, err error) {
	for _, plain := range []bool{false, true} {
		path := filepath.Join(cfg.Path, fmt.Sprintf("plain-%v", plain))
		if err := os.MkdirAll(path, 0o755); err != nil {
			return cells, err
		}
		got, err := cfg.mode(ctx, path, plain)
		cells = append(cells, got...)
		if err = errors.Join(err, os.RemoveAll(path)); err != nil {
			return cells, err
		}
	}
	return cells, nil
}

func (cfg *Config) mode(ctx context.Context, path string, plain bool) (cells []Cell, err error) {
	clk := sysclock.New()
	fsys := faultfs.New(osfs.New(), clk)
	d, err := open(fsys, clk, sysclock.Entropy{}, path, cfg.Partitions[len(cfg.Partitions)-1], plain)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.dir.Close(false, -1)) }()
	for _, added := range cfg.Added {
		remove := func() {}
		if added > 0 {
			remove = fsys.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpSync, faultfs.OpSyncDir}, Delay: added})
		}
		for _, n := range cfg.Partitions {
			if err := ctx.Err(); err != nil {
				return cells, err
			}
			cell, err := cfg.cell(d, n)
			if err != nil {
				return cells, err
			}
			cell.Plain, cell.AddedMs = plain, ms(added)
			cells = append(cells, cell)
			if err := cfg.Emit(cell); err != nil {
				return cells, err
			}
		}
		remove()
	}
	return cells, nil
}

func (cfg *Config) cell(d *driver, n int) (Cell, error) {
	cell := Cell{Part: "sync", Partitions: n}
	d.acks = &stats.Histogram{}
	for range warmTurns {
		if _, err := d.turn(n); err != nil {
			return cell, err
		}
	}
	d.acks = &stats.Histogram{}
	var turns stats.Histogram
	stat := d.dir.Stats()
	before, err := proc.Real().Read(time.Now, 0, os.Getpid())
	if err != nil {
		return cell, err
	}
	began := time.Now()
	for cell.Turns < cfg.TurnsMin || time.Since(began) < cfg.Time {
		took, err := d.turn(n)
		if err != nil {
			return cell, err
		}
		turns.Add(took)
		cell.Turns++
	}
	took := time.Since(began)
	after, err := proc.Real().Read(time.Now, 0, os.Getpid())
	if err != nil {
		return cell, err
	}
	if d.acks.Count() != uint64(cell.Turns*n) {
		return cell, fmt.Errorf("%d acks of %d turns of %d partitions", d.acks.Count(), cell.Turns, n)
	}
	end := d.dir.Stats()
	cell.DirectSyncs, cell.JournalCommits = end.DirectSyncs-stat.DirectSyncs, end.JournalCommits-stat.JournalCommits
	cell.JournalBytes = end.JournalBytes - stat.JournalBytes
	cell.Others = after.Since(before).OthersShare
	cell.TooBusy = cell.Others > cfg.OthersMax
	cell.AcksPerS = float64(cell.Turns*n) / took.Seconds()
	cell.TurnP50Ms, cell.AckP50Ms, cell.AckP99Ms = ms(turns.Quantile(0.5)), ms(d.acks.Quantile(0.5)), ms(d.acks.Quantile(0.99))
	return cell, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
