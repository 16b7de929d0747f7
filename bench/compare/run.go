package compare

import (
	"math"
	"slices"
	"time"

	"github.com/moldau/moldau/bench/load"
	"github.com/moldau/moldau/bench/proc"
	"github.com/moldau/moldau/bench/stats"
)

// System is one side of the comparison.
type System string

// The systems. An ack of MoldauOS means what an ack of one Kafka node means:
// the operating system has the bytes. MoldauSync answers after fdatasync.
const (
	MoldauOS   System = "moldau-os"
	MoldauSync System = "moldau-sync"
	Kafka      System = "kafka"
)

// Run is one measured run, a line of the JSON file. What a kind of load does
// not have is left out.
type Run struct {
	Part     string    `json:"part"` // "compare" or "cluster"
	At       time.Time `json:"at"`
	Scenario string    `json:"scenario"`
	System   System    `json:"system"`
	Round    int       `json:"round"`   // from 0
	Attempt  int       `json:"attempt"` // from 0
	// TooBusy: others had more than the limit; the run counts for nothing.
	TooBusy bool `json:"too_busy"`

	Records    int64   `json:"records"`
	ValueBytes int64   `json:"value_bytes"`
	WallS      float64 `json:"wall_s"`
	MBPerS     float64 `json:"mb_per_s"` // 10^6 bytes of values

	ServerCPUS     float64 `json:"server_cpu_s"`
	DriverCPUS     float64 `json:"driver_cpu_s"`
	KernelCPUS     float64 `json:"kernel_threads_cpu_s"`
	OthersShare    float64 `json:"others_share"` // of the whole machine, 0 to 1
	CPUPerGB       float64 `json:"server_cpu_s_per_gb"`
	CPUPerMillion  float64 `json:"server_cpu_s_per_million_records"` // also µs a record
	RSSBytes       int64   `json:"rss_bytes"`
	PeakRSSBytes   int64   `json:"peak_rss_bytes"`
	DiskBytes      int64   `json:"disk_bytes,omitempty"`
	MeanBatchBytes int64   `json:"mean_batch_bytes,omitempty"`

	AckP50Ms       float64 `json:"ack_p50_ms,omitempty"`
	AckP99Ms       float64 `json:"ack_p99_ms,omitempty"`
	AckP999Ms      float64 `json:"ack_p999_ms,omitempty"`
	EndToEndP50Ms  float64 `json:"end_to_end_p50_ms,omitempty"`
	EndToEndP99Ms  float64 `json:"end_to_end_p99_ms,omitempty"`
	EndToEndP999Ms float64 `json:"end_to_end_p999_ms,omitempty"`
}

// newRun computes a run's figures from what was counted.
func newRun(s load.Scenario, r load.Result, u proc.Usage, m proc.Memory, othersMax float64) Run {
	bytes := r.Records * int64(s.RecordBytes)
	run := Run{
		Scenario: s.Name, TooBusy: u.OthersShare > othersMax,
		Records: r.Records, ValueBytes: bytes,
		WallS: r.Wall.Seconds(), MBPerS: float64(bytes) / 1e6 / r.Wall.Seconds(),
		ServerCPUS: u.Server.Seconds(), DriverCPUS: u.Driver.Seconds(), KernelCPUS: u.Kernel.Seconds(),
		OthersShare: u.OthersShare,
		CPUPerGB:    u.Server.Seconds() / (float64(bytes) / 1e9), CPUPerMillion: u.Server.Seconds() / (float64(r.Records) / 1e6),
		RSSBytes: m.RSS, PeakRSSBytes: m.PeakRSS,
		DiskBytes: r.Disk.Bytes, MeanBatchBytes: r.Disk.MeanBatch(),
	}
	run.AckP50Ms, run.AckP99Ms, run.AckP999Ms = quantiles(r.Ack)
	run.EndToEndP50Ms, run.EndToEndP99Ms, run.EndToEndP999Ms = quantiles(r.EndToEnd)
	return run
}

func quantiles(h *stats.Histogram) (p50, p99, p999 float64) {
	if h == nil {
		return 0, 0, 0
	}
	return ms(h.Quantile(0.5)), ms(h.Quantile(0.99)), ms(h.Quantile(0.999))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// metric is one figure of a run.
type metric struct {
	name   string
	format string
	of     func(Run) float64
	want   want
	sync   bool // the ratio is Moldau's at sync to Kafka's; at os otherwise
}

// want is what the ratio, ours to Kafka's, has to be.
type want struct {
	atMost, atLeast float64 // 0 for no wish
}

func (w want) met(ratio float64) bool {
	return (w.atMost == 0 || ratio <= w.atMost) && (w.atLeast == 0 || ratio >= w.atLeast)
}

// metrics are those of a kind of load, in the order of the table.
func metrics(s load.Scenario) []metric {
	cpu := func(r Run) float64 { return r.CPUPerMillion }
	mbs := func(r Run) float64 { return r.MBPerS }
	rss := metric{name: "RSS, MB", format: "%.0f", of: func(r Run) float64 { return float64(r.RSSBytes) / 1e6 }, want: want{atMost: s.RSSMax}}
	if s.Kind == load.Lone || s.Kind == load.Paced {
		out := []metric{
			{name: "server CPU, µs/record", format: "%.0f", of: cpu, want: want{atMost: s.CPUMax}},
			{name: "end to end p50, ms", format: "%.3f", of: func(r Run) float64 { return r.EndToEndP50Ms }},
			{name: "end to end p99, ms", format: "%.3f", of: func(r Run) float64 { return r.EndToEndP99Ms }, want: want{atMost: s.P99Max}},
			{name: "ack p50, ms", format: "%.3f", of: func(r Run) float64 { return r.AckP50Ms }},
			{name: "ack p99, ms", format: "%.3f", of: func(r Run) float64 { return r.AckP99Ms }},
		}
		if s.Kind == load.Paced {
			out = slices.Insert(out, 3, metric{name: "end to end p99.9, ms", format: "%.3f", of: func(r Run) float64 { return r.EndToEndP999Ms }})
		}
		return append(out, rss)
	}
	out := []metric{
		{name: "server CPU, s/GB", format: "%.2f", of: func(r Run) float64 { return r.CPUPerGB }, want: want{atMost: s.CPUMax}},
		{name: "server CPU, s/million", format: "%.2f", of: cpu},
		{name: "MB/s", format: "%.0f", of: mbs, want: want{atLeast: s.MBMin}},
	}
	if s.SyncMBMin > 0 {
		out = append(out, metric{name: "MB/s at sync", format: "%.0f", of: mbs, want: want{atLeast: s.SyncMBMin}, sync: true})
	}
	return append(out, rss)
}

// missing is the figure of a run that counts for nothing.
func missing() float64 { return math.NaN() }
