package stats_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/moldau/moldau/bench/stats"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		before := slices.Clone(c.in)
		if got := stats.Median(c.in); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.in, got, c.want)
		}
		if !slices.Equal(before, c.in) {
			t.Errorf("%v was sorted in place", before)
		}
	}
	if !math.IsNaN(stats.Median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

// TestRatios: a run that is missing on one side takes its partner with it, and
// no other pair moves.
func TestRatios(t *testing.T) {
	nan := math.NaN()
	got := stats.Ratios([]float64{1, nan, 3, 4, 9}, []float64{2, 5, nan, 8})
	if !slices.Equal(got, []float64{0.5, 0.5}) {
		t.Errorf("ratios %v", got)
	}
	if got := stats.Ratios([]float64{1}, []float64{0}); len(got) != 0 {
		t.Errorf("divided by nothing: %v", got)
	}
	if got := stats.Present([]float64{nan, 1}); !slices.Equal(got, []float64{1}) {
		t.Errorf("present %v", got)
	}
}

// TestQuantilesAgainstSorting over six orders of magnitude.
func TestQuantilesAgainstSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h, even, odd stats.Histogram
	var all []time.Duration
	for i := range 20000 {
		d := time.Duration(math.Exp(rng.Float64() * 20))
		all = append(all, d)
		h.Add(d)
		if i%2 == 0 {
			even.Add(d)
		} else {
			odd.Add(d)
		}
	}
	slices.Sort(all)
	even.Merge(&odd)
	for _, q := range []float64{0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[max(0, int(math.Ceil(q*float64(len(all))))-1)]
		got := h.Quantile(q)
		if got < want || float64(got) > float64(want)*1.008+1 {
			t.Errorf("quantile %v is %d, of the sorted values %d", q, got, want)
		}
		if even.Quantile(q) != got {
			t.Errorf("quantile %v of merged parts is %d, of the whole %d", q, even.Quantile(q), got)
		}
	}
	if h.Count() != 20000 || even.Count() != 20000 {
		t.Errorf("counts %d and %d", h.Count(), even.Count())
	}
}

func TestHistogramEdges(t *testing.T) {
	var h stats.Histogram
	if h.Quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
	h.Add(-1)
	h.Add(math.MaxInt64)
	if h.Quantile(0.5) != 0 || h.Quantile(1) != math.MaxInt64 {
		t.Errorf("edges: %d and %d", h.Quantile(0.5), h.Quantile(1))
	}
	h.AddN(100, 998)
	if h.Count() != 1000 || h.Quantile(0.99) != 100 {
		t.Errorf("%d, p99 %d", h.Count(), h.Quantile(0.99))
	}
}
