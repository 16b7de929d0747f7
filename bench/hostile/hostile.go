package hostile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/moldau/moldau/bench/peer"
	"github.com/moldau/moldau/bench/proc"
	"github.com/moldau/moldau/bench/stats"
)

// Config of the measurement.
type Config struct {
	Node *peer.Server
	// Crowd is the path of the crowd's program.
	Crowd  string
	Rounds int
	// Records are sent in each phase, one after the other.
	Records int
	// OthersMax is the share of the machine up to which a round counts.
	OthersMax float64
	Emit      func(Round) error
}

// Round is one quiet phase and one under attack, a line of the JSON file.
type Round struct {
	Part        string  `json:"part"` // "hostile"
	Round       int     `json:"round"`
	Records     int     `json:"records"` // of each phase
	QuietP50Ms  float64 `json:"quiet_p50_ms"`
	QuietP99Ms  float64 `json:"quiet_p99_ms"`
	AttackP50Ms float64 `json:"attack_p50_ms"`
	AttackP99Ms float64 `json:"attack_p99_ms"`
	// Ratio is the p99 under attack divided by the quiet one.
	Ratio float64 `json:"p99_ratio"`
	// OthersShare of the machine over both phases, 0 to 1, without the crowd.
	OthersShare  float64 `json:"others_share"`
	TooBusy      bool    `json:"too_busy"`
	CrowdCPUS    float64 `json:"crowd_cpu_s"`
	PeakRSSBytes int64   `json:"peak_rss_bytes"` // since the node's start
}

const (
	goodTopic = "good"
	// wideTopic is the one that the crowd asks about.
	wideTopic      = "wide"
	widePartitions = 200
	// begunLine is what the crowd prints when it is at it.
	begunLine = "begun\n"
)

// Build builds the crowd's program and returns its path.
func Build(root string) (string, error) {
	path := filepath.Join(root, "bin", "crowd-bench")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "./hostile/crowd")
	cmd.Dir = filepath.Join(root, "tests")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the crowd: %w\n%s", err, out)
	}
	return path, nil
}

// Run measures all rounds.
func Run(ctx context.Context, cfg Config) (rounds []Round, err error) {
	w, err := peer.Dial(cfg.Node.Addr)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err := errors.Join(w.CreateTopic(goodTopic, 1, 1), w.CreateTopic(wideTopic, widePartitions, 1)); err != nil {
		return nil, err
	}
	defer first()()
	for i := range cfg.Rounds {
		if ctx.Err() != nil {
			return rounds, ctx.Err()
		}
		r, err := cfg.round(ctx, w)
		if err != nil {
			return rounds, err
		}
		r.Part, r.Round = "hostile", i
		rounds = append(rounds, r)
		if err := cfg.Emit(r); err != nil {
			return rounds, err
		}
	}
	return rounds, nil
}

// first has Linux's scheduler put the autogroup of this process, which the node
// and the driver are in, before the crowd's: on another machine the crowd's work
// would take nothing from them. It returns what ends that. Only root may, and only
// Linux has autogroups: elsewhere the numbers are worse.
func first() (undo func()) {
	const group = "/proc/self/autogroup"
	_ = os.WriteFile(group, []byte("-15"), 0)
	return func() { _ = os.WriteFile(group, []byte("0"), 0) }
}

// round runs both phases.
func (c *Config) round(ctx context.Context, w *peer.Wire) (r Round, err error) {
	r.Records = c.Records
	before, err := proc.Real().Read(time.Now, os.Getpid(), c.Node.PID)
	if err != nil {
		return r, err
	}
	quiet, err := c.phase(ctx, w)
	if err != nil {
		return r, fmt.Errorf("without an attack: %w", err)
	}
	attack, crowd, err := c.attacked(ctx, w)
	if err != nil {
		return r, fmt.Errorf("under attack: %w", err)
	}
	after, err := proc.Real().Read(time.Now, os.Getpid(), c.Node.PID)
	if err != nil {
		return r, err
	}
	m, err := proc.Real().Memory(c.Node.PID)
	if err != nil {
		return r, err
	}
	r.fill(quiet, attack)
	r.OthersShare = after.Since(before).Without(crowd).OthersShare
	r.TooBusy = r.OthersShare > c.OthersMax
	r.CrowdCPUS, r.PeakRSSBytes = crowd.Seconds(), m.PeakRSS
	return r, nil
}

func (r *Round) fill(quiet, attack *stats.Histogram) {
	r.QuietP50Ms, r.QuietP99Ms = ms(quiet.Quantile(0.5)), ms(quiet.Quantile(0.99))
	r.AttackP50Ms, r.AttackP99Ms = ms(attack.Quantile(0.5)), ms(attack.Quantile(0.99))
	if r.QuietP99Ms > 0 {
		r.Ratio = r.AttackP99Ms / r.QuietP99Ms
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// phase sends the records one after the other.
func (c *Config) phase(ctx context.Context, w *peer.Wire) (*stats.Histogram, error) {
	h := &stats.Histogram{}
	for range c.Records {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		began := time.Now()
		left, err := w.Produce(goodTopic, []int32{0})
		if err != nil || len(left) > 0 {
			return nil, fmt.Errorf("a record is not acked: %w", err)
		}
		h.Add(time.Since(began))
	}
	return h, nil
}

// attacked is a phase under attack, and the processor time that the crowd took.
func (c *Config) attacked(ctx context.Context, w *peer.Wire) (h *stats.Histogram, crowd time.Duration, err error) {
	cmd := exec.CommandContext(ctx, c.Crowd, c.Node.Addr)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, 0, err
	}
	if err := cmd.Start(); err != nil {
		return nil, 0, fmt.Errorf("start the crowd: %w", err)
	}
	end := func() error {
		_ = in.Close() // one that has ended holds no end of it
		_, _ = io.Copy(io.Discard, out)
		return cmd.Wait()
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != begunLine {
		return nil, 0, errors.Join(fmt.Errorf("the crowd says %q: %v", line, err), end())
	}
	h, err = c.phase(ctx, w)
	if err := errors.Join(err, end()); err != nil {
		return nil, 0, err
	}
	return h, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
