package linearizability

import (
	"cmp"
	"slices"
	"sort"

	"github.com/moldau/moldau/linearizability/history"
)

// finalLog is what the final reads of a partition found: what there is, once
// nothing is under way. It resolves every append whose fate is unknown.
type finalLog struct {
	whole   bool  // from start to end without a hole in the reading
	start   int64 // log start
	end     int64 // high watermark
	holeAt  int64 // first offset not covered, if not whole
	records []history.Record
	reads   []*history.Op // final reads, by position
	from    []*history.Op // of each record
}

func newFinalLog(p *partition) finalLog {
	var f finalLog
	f.start, f.end = history.Unknown, history.Unknown
	for _, op := range p.reads {
		if op.Read.Final {
			f.reads = append(f.reads, op)
			f.start = max(f.start, op.Read.LogStart)
			f.end = max(f.end, op.Read.HighWatermark)
		}
	}
	slices.SortStableFunc(f.reads, func(a, b *history.Op) int { return cmp.Compare(a.Read.Position, b.Read.Position) })
	type found struct {
		record history.Record
		op     *history.Op
	}
	var all []found
	for _, op := range f.reads {
		for _, record := range op.Read.Records {
			all = append(all, found{record, op})
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Compare(a.record.Offset, b.record.Offset) })
	for _, one := range all {
		if n := len(f.records); n == 0 || f.records[n-1].Offset != one.record.Offset {
			f.records, f.from = append(f.records, one.record), append(f.from, one.op)
		}
	}
	if n := len(f.records); n > 0 {
		f.end = max(f.end, f.records[n-1].Offset+1)
		if f.start < 0 {
			f.start = f.records[0].Offset
		}
	}
	f.holeAt = f.start
	for _, op := range f.reads {
		if low, high := covered(op, p.topic.Sparse); low <= f.holeAt {
			f.holeAt = max(f.holeAt, high)
		}
	}
	f.whole = len(f.reads) > 0 && f.start >= 0 && f.holeAt >= f.end
	return f
}

// covered is the range of offsets that a final read speaks of.
func covered(op *history.Op, sparse bool) (low, high int64) {
	low, n := op.Read.Position, len(op.Read.Records)
	switch {
	case n > 0:
		if low < 0 {
			low = op.Read.Records[0].Offset
		}
		return low, op.Read.Records[n-1].Offset + 1
	case sparse:
		return low, op.Read.HighWatermark
	}
	return low, low
}

// at returns the record at an offset and the read that found it.
func (f *finalLog) at(offset int64) (*history.Record, *history.Op) {
	i := sort.Search(len(f.records), func(i int) bool { return f.records[i].Offset >= offset })
	if i == len(f.records) || f.records[i].Offset != offset {
		return nil, nil
	}
	return &f.records[i], f.from[i]
}
