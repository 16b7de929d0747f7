package seglog

import (
	"slices"
	"sort"
)

// EpochCache maps leader epochs to the offsets where they begin. It is an
// immutable value: a change makes a new one, so that an undo only keeps the
// old. The zero EpochCache is empty.
// Invariant: epochs and offsets both ascend strictly.
type EpochCache struct {
	entries []EpochStart
}

// NewEpochCache takes over entries, which ascend in both fields.
func NewEpochCache(entries []EpochStart) EpochCache { return EpochCache{entries: entries} }

// Entries are the entries, oldest first; not to be changed.
func (c EpochCache) Entries() []EpochStart { return c.entries }

// Latest is the newest epoch and its start; -1, -1 when there is none.
func (c EpochCache) Latest() EpochStart {
	if len(c.entries) == 0 {
		return EpochStart{Epoch: -1, Offset: -1}
	}
	return c.entries[len(c.entries)-1]
}

// Assign begins epoch at offset. The latest epoch is not assigned again.
// Entries that contradict the new one, not below it in both fields, go: such
// epochs wrote nothing.
func (c EpochCache) Assign(epoch int32, offset int64) EpochCache {
	if l := c.Latest(); l.Epoch == epoch && l.Offset <= offset {
		return c
	}
	n := len(c.entries)
	for n > 0 && (c.entries[n-1].Epoch >= epoch || c.entries[n-1].Offset >= offset) {
		n--
	}
	entries := make([]EpochStart, n, n+1)
	copy(entries, c.entries[:n])
	return EpochCache{entries: append(entries, EpochStart{Epoch: epoch, Offset: offset})}
}

// TruncateEnd drops the epochs that begin at or above end.
func (c EpochCache) TruncateEnd(end int64) EpochCache {
	n := sort.Search(len(c.entries), func(i int) bool { return c.entries[i].Offset >= end })
	return EpochCache{entries: slices.Clip(c.entries[:n])}
}

// TruncateStart drops the epochs that end at or below start; the one that
// start lies in begins there.
func (c EpochCache) TruncateStart(start int64) EpochCache {
	n := sort.Search(len(c.entries), func(i int) bool { return c.entries[i].Offset > start })
	if n == 0 || n == 1 && c.entries[0].Offset == start {
		return c
	}
	entries := slices.Clone(c.entries[n-1:])
	entries[0].Offset = start
	return EpochCache{entries: entries}
}

// EndOffset answers OffsetForLeaderEpoch for a log that ends at end: the
// greatest epoch known that is at most epoch, and where it ends. An epoch below
// all known ones ends where the first known begins; -1, -1 is undefined: the
// epoch is above all known ones, or -1.
func (c EpochCache) EndOffset(epoch int32, end int64) (int32, int64) {
	n := len(c.entries)
	if epoch < 0 || n == 0 || epoch > c.entries[n-1].Epoch {
		return -1, -1
	}
	if epoch == c.entries[n-1].Epoch {
		return epoch, end
	}
	higher := sort.Search(n, func(i int) bool { return c.entries[i].Epoch > epoch })
	if higher == 0 {
		return epoch, c.entries[0].Offset
	}
	return c.entries[higher-1].Epoch, c.entries[higher].Offset
}

// Has reports whether epoch is among the entries.
func (c EpochCache) Has(epoch int32) bool {
	return slices.ContainsFunc(c.entries, func(e EpochStart) bool { return e.Epoch == epoch })
}

// EpochOf is the epoch that offset lies in, -1 if unknown.
func (c EpochCache) EpochOf(offset int64) int32 {
	n := sort.Search(len(c.entries), func(i int) bool { return c.entries[i].Offset > offset })
	if n == 0 {
		return -1
	}
	return c.entries[n-1].Epoch
}
