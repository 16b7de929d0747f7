package compare

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/moldau/moldau/bench/load"
	"github.com/moldau/moldau/bench/proc"
	"github.com/moldau/moldau/bench/stats"
	"github.com/moldau/moldau/bench/table"
)

func scenario() load.Scenario {
	return load.Scenario{Name: "s", Kind: load.Produce, RecordBytes: 1000, CPUMax: 0.6}
}

// rounds makes runs whose CPU per GB is given, below 0 for one that met a busy machine.
func rounds(system System, cpu ...float64) (out []Run) {
	for i, c := range cpu {
		r := Run{Scenario: "s", System: system, Round: i, CPUPerGB: c, MBPerS: 100, OthersShare: 0.05}
		if c < 0 {
			r.CPUPerGB, r.TooBusy, r.OthersShare = -c, true, 0.5
		}
		out = append(out, r)
	}
	return out
}

func first(t *testing.T, runs []Run, n int) Row {
	t.Helper()
	return Summary(scenario(), runs, n)[0]
}

func TestRatioWithinRounds(t *testing.T) {
	// Medians 2 and 4; ratios 0.25, 1, 0.5.
	row := first(t, append(rounds(MoldauOS, 1, 4, 2), rounds(Kafka, 4, 4, 4)...), 3)
	if row.Values[MoldauOS] != "2.00" || row.Values[Kafka] != "4.00" || row.Values[MoldauSync] != "-" {
		t.Errorf("%+v", row)
	}
	if row.Ratio != "0.50 (0.25 to 1.00)" || row.Wanted != "at most 0.60" || row.Met != "yes" {
		t.Errorf("%+v", row)
	}
	row = first(t, append(rounds(MoldauOS, 3, 3, 3), rounds(Kafka, 4, 4, 4)...), 3)
	if row.Met != "no" {
		t.Errorf("%+v", row)
	}
}

// TestTooBusy: a busy run leaves its round out on that side and in the ratio;
// with fewer than three rounds left there is no number.
func TestTooBusy(t *testing.T) {
	runs := append(rounds(MoldauOS, 1, 1, -9, 1), rounds(Kafka, 2, 2, 2, 2)...)
	if row := first(t, runs, 4); row.Values[MoldauOS] != "1.00" || row.Ratio != "0.50 (0.50 to 0.50)" {
		t.Errorf("%+v", row)
	}
	runs = append(rounds(MoldauOS, 1, -9, 1), rounds(Kafka, 2, 2, 2)...)
	row := first(t, runs, 3)
	if row.Values[MoldauOS] != table.TooBusy || row.Others != "5 / 5 / -" || row.Values[Kafka] != "2.00" {
		t.Errorf("%+v", row)
	}
	if row.Ratio != "-" || row.Met != "" {
		t.Errorf("a verdict on a busy machine: %+v", row)
	}
}

// TestRepeatedRun: the last attempt of a round counts, whichever it is.
func TestRepeatedRun(t *testing.T) {
	runs := append(rounds(MoldauOS, -9, 1, 1), rounds(Kafka, 2, 2, 2)...)
	runs = append(runs, Run{Scenario: "s", System: MoldauOS, Round: 0, Attempt: 1, CPUPerGB: 1})
	if row := first(t, runs, 3); row.Values[MoldauOS] != "1.00" {
		t.Errorf("%+v", row)
	}
}

func TestSmokeHasNoVerdict(t *testing.T) {
	row := first(t, append(rounds(MoldauOS, 1), rounds(Kafka, 2)...), 1)
	if row.Ratio == "-" || row.Met != "" {
		t.Errorf("%+v", row)
	}
	if row := first(t, rounds(MoldauOS, 1), 1); row.Ratio != "-" || row.Values[Kafka] != "-" {
		t.Errorf("without Kafka: %+v", row)
	}
}

func TestFigures(t *testing.T) {
	var h stats.Histogram
	h.AddN(time.Millisecond, 98)
	h.AddN(5*time.Millisecond, 2)
	s := load.Scenario{Name: "s", Kind: load.Lone, RecordBytes: 1000}
	r := newRun(s, load.Result{Records: 2_000_000, Wall: 4 * time.Second, Ack: &h, Disk: load.Disk{Bytes: 30, Batches: 2}},
		proc.Usage{Server: 3 * time.Second, Driver: time.Second, OthersShare: 0.16}, proc.Memory{RSS: 5, PeakRSS: 6}, 0.15)
	want := map[string][2]float64{
		"MB/s": {r.MBPerS, 500}, "s/GB": {r.CPUPerGB, 1.5}, "s/million": {r.CPUPerMillion, 1.5},
		"p50": {r.AckP50Ms, 1}, "p99": {r.AckP99Ms, 5}, "end to end": {r.EndToEndP50Ms, 0}, "batch": {float64(r.MeanBatchBytes), 15},
	}
	for name, v := range want {
		if math.Abs(v[0]-v[1]) > 0.01*v[1] {
			t.Errorf("%s is %v, want %v", name, v[0], v[1])
		}
	}
	if !r.TooBusy || r.RSSBytes != 5 || r.PeakRSSBytes != 6 {
		t.Errorf("%+v", r)
	}
}

// TestWanted: every wish is for the figure it names.
func TestWanted(t *testing.T) {
	for _, s := range load.Scenarios() {
		found := false
		for _, m := range metrics(s) {
			found = found || m.want.atMost == s.CPUMax && strings.HasPrefix(m.name, "server CPU")
			if m.want.atLeast != 0 && m.name != "MB/s" {
				t.Errorf("%s: %s", s.Name, m.name)
			}
		}
		if !found {
			t.Errorf("%s has no wish for CPU", s.Name)
		}
	}
}
