// Package stats sums up measurements: quantiles of latencies, medians of runs
// and ratios of the two systems run by run.
//
// It knows nothing of what was measured, and it never drops a value: what a
// caller leaves out (a run on a busy machine) it leaves out itself.
package stats

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// Median is the middle value, of an even number the mean of the two in the
// middle; NaN of none. values stay as they are.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Ratios divides pairwise, ours by theirs, where both are there (not NaN) and
// theirs is above 0: the runs of one alternation belong together, since they
// met the same neighbours.
func Ratios(ours, theirs []float64) []float64 {
	var out []float64
	for i := range min(len(ours), len(theirs)) {
		if r := ours[i] / theirs[i]; theirs[i] > 0 && !math.IsNaN(r) {
			out = append(out, r)
		}
	}
	return out
}

// Present leaves out what is NaN.
func Present(values []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(values), math.IsNaN)
}

const (
	// subBits makes 128 classes for every power of two: a quantile is at most 0.8 % above the truth.
	subBits = 7
	classes = (64 - subBits) << subBits
)

// Histogram counts durations in classes. Its size does not depend on how many
// they are. The zero value is empty. It is not safe for concurrent use.
type Histogram struct {
	counts [classes]uint64
	total  uint64
	max    time.Duration
}

// Add counts one duration; below 0 counts as 0.
func (h *Histogram) Add(d time.Duration) { h.AddN(d, 1) }

// AddN counts n equal durations.
func (h *Histogram) AddN(d time.Duration, n uint64) {
	d = max(d, 0)
	h.counts[class(uint64(d))] += n
	h.total += n
	h.max = max(h.max, d)
}

// Count is how many were added.
func (h *Histogram) Count() uint64 { return h.total }

// Quantile is the least duration that at least the part q (0 to 1) of all does
// not exceed, rounded up by less than 1 %; 0 of none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := max(1, uint64(math.Ceil(q*float64(h.total))))
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(time.Duration(last(i)), h.max)
		}
	}
	return h.max
}

// Merge adds all that other counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.max = max(h.max, other.max)
}

// class of a value: values below 2<<subBits have one each, of later powers of
// two each is cut into 1<<subBits.
func class(v uint64) int {
	shift := max(0, bits.Len64(v)-subBits-1)
	return shift<<subBits + int(v>>shift)
}

// last is the largest value of a class.
func last(i int) uint64 {
	shift := max(0, i>>subBits-1)
	return uint64(i-shift<<subBits+1)<<shift - 1
}
