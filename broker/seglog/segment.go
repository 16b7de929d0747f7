package seglog

import "math"

// EmptySegment is a segment without batches at base, made at the wall time
// nowWall (ms).
func EmptySegment(base, nowWall int64) Segment {
	return Segment{
		Base: base, MaxTimestamp: -1, MaxTimestampOffset: -1, FirstTimestamp: -1, Created: nowWall, IndexedTimestamp: -1,
	}
}

// place accounts for one batch at the segment's end and says which index
// entries it gives: as in Kafka, one of each when more than interval bytes came
// since the last, before the batch's own bytes are counted; the time entry only
// if the largest timestamp grew.
func (s *Segment) place(b *Batch, interval int64) (index IndexEntry, hasIndex bool, tm TimeEntry, hasTime bool) {
	if s.Size == 0 {
		s.FirstTimestamp = b.MaxTimestamp
	}
	if b.MaxTimestamp > s.MaxTimestamp {
		s.MaxTimestamp, s.MaxTimestampOffset = b.MaxTimestamp, b.LastOffset()
	}
	if s.SinceIndex > interval {
		index, hasIndex = IndexEntry{Offset: b.LastOffset(), Position: s.Size}, true
		s.IndexEntries++
		s.SinceIndex = 0
		tm, hasTime = s.timeEntry()
	}
	s.Size += b.Size
	s.SinceIndex += b.Size
	return index, hasIndex, tm, hasTime
}

// timeEntry is the time index entry that is due now, if the largest timestamp
// grew since the last.
func (s *Segment) timeEntry() (TimeEntry, bool) {
	if s.MaxTimestamp <= s.IndexedTimestamp {
		return TimeEntry{Offset: -1}, false
	}
	s.IndexedTimestamp = s.MaxTimestamp
	s.TimeEntries++
	return TimeEntry{Timestamp: s.MaxTimestamp, Offset: s.MaxTimestampOffset}, true
}

// full reports whether an append of size bytes that ends at last, with the
// largest timestamp maxTimestamp, has to go to a new segment.
func (s *Segment) full(cfg *Config, nowWall, size, last, maxTimestamp int64) bool {
	if last-s.Base > math.MaxInt32 {
		return true
	}
	if s.Size == 0 {
		return false
	}
	age := nowWall - s.Created
	if s.FirstTimestamp >= 0 {
		age = maxTimestamp - s.FirstTimestamp
	}
	return s.Size > cfg.SegmentBytes-size ||
		age > cfg.SegmentMs-cfg.jitter(s.Base) ||
		s.IndexEntries >= cfg.IndexBytes/IndexEntryLen ||
		s.TimeEntries >= cfg.IndexBytes/TimeEntryLen-1 // the last entry is for the roll
}

// largestTimestamp is what retention by time goes by.
func (s *Segment) largestTimestamp() int64 {
	if s.MaxTimestamp >= 0 {
		return s.MaxTimestamp
	}
	return s.Created
}
