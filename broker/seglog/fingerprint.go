package seglog

import "encoding/binary"

// AppendState appends everything that decides what the log will do: two logs
// of one configuration with the same bytes behave alike. What is remembered of
// recent batches only to read them faster is left out, and so are the wall
// times of segments and producers.
func (l *Log) AppendState(b []byte) []byte {
	b = appendInts(b, l.logStart, l.next, int64(l.below), int64(len(l.segments)))
	for i := range l.segments {
		s := &l.segments[i]
		b = appendInts(b, s.Base, s.Size, s.SinceIndex, int64(s.IndexEntries), int64(s.TimeEntries))
	}
	b = l.epochs.appendState(b)
	b = l.producers.appendState(b)
	b = appendInts(b, int64(l.undo.Len()))
	for i := range l.undo.Len() {
		u := l.undo.At(i)
		b = appendInts(b, u.first, u.end, u.segment.Base, u.segment.Size, u.producer.id)
		b = u.epochs.appendState(b)
	}
	return b
}

func (c EpochCache) appendState(b []byte) []byte {
	b = appendInts(b, int64(len(c.entries)))
	for _, e := range c.entries {
		b = appendInts(b, int64(e.Epoch), e.Offset)
	}
	return b
}

func (t *ProducerTable) appendState(b []byte) []byte {
	b = appendInts(b, int64(len(t.producers)))
	if len(t.producers) == 0 {
		return b
	}
	for _, e := range t.Entries() {
		b = appendInts(b, e.ProducerID, int64(e.Epoch), int64(e.LastSequence), e.LastOffset, int64(e.OffsetDelta), e.FirstTxnOffset)
		for _, x := range e.Earlier {
			b = appendInts(b, int64(x.LastSequence), x.LastOffset)
		}
	}
	b = appendInts(b, int64(len(t.ended)))
	for _, x := range t.ended {
		b = appendInts(b, x.producer, x.first, x.last)
	}
	return b
}

func appendInts(b []byte, ns ...int64) []byte {
	for _, n := range ns {
		b = binary.AppendVarint(b, n)
	}
	return b
}
