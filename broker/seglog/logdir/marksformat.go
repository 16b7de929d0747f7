package logdir

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
)

// moldau.marks, big-endian: for every partition its newest synced-through mark
// S, and from where recovery has to scan.
//
//	| magic u32 | version u16 | reserved u16 | generation u64 | sequence u64 | count u32 | count × entry | crc u32 |
//	entry: topic id 16, partition i32, S i64, log start i64, as of u64, flags u8,
//	       and with flag 1, the resume point:
//	       end i64, count u32 × segment, count u32 × epoch, count u32 × producer
//	segment: base, size, max timestamp, its offset, first timestamp, created, bytes since index,
//	         indexed timestamp: i64 each; index entries u32, time entries u32
//	epoch: epoch i32, offset i64
//	producer: as in a producer snapshot, without its head; count u8 × batch before the last
//	batch: last sequence i32, offset delta i32, last offset i64, timestamp i64
//
// Commits up to the sequence number are done: their bytes are in synced
// segments. The generation is one that no block had a greater one than when the
// file was written. As of is the sequence number of the last commit when the
// entry was made: later cuts void its resume point.
const (
	marksFile    = "moldau.marks"
	marksMagic   = 0x4d4f4c4d // "MOLM"
	marksVersion = 2

	marksHeadLen    = 4 + 2 + 2 + 8 + 8 + 4
	marksEntryMin   = 16 + 4 + 8 + 8 + 8 + 1
	marksSegmentLen = 8*8 + 4 + 4
	marksEpochLen   = 4 + 8
	producerLen     = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8 + 1
	earlierLen      = 4 + 4 + 8 + 8

	// marksBytesMax bounds the file that is read back.
	marksBytesMax = 1 << 30
)

// marksEntry is what moldau.marks says of a partition.
type marksEntry struct {
	id     kafka.TopicPartition
	synced int64 // S
	start  int64 // log start
	asOf   uint64
	resume *resume // nil: scan from the recovery point
}

// resume is the state of a log at a place that recovery may start to scan
// from: the end of the last segment named.
type resume struct {
	end       int64
	segments  []seglog.Segment
	epochs    []seglog.EpochStart
	producers []seglog.ProducerEntry
}

// marksHead is the head of the file.
type marksHead struct {
	generation uint64
	sequence   uint64
}

// encodeEntry appends an entry.
func encodeEntry(b []byte, e *marksEntry) []byte {
	be := binary.BigEndian
	b = appendID(b, e.id)
	b = be.AppendUint64(b, uint64(e.synced))
	b = be.AppendUint64(b, uint64(e.start))
	b = be.AppendUint64(b, e.asOf)
	if e.resume == nil {
		return append(b, 0)
	}
	b = append(b, 1)
	b = be.AppendUint64(b, uint64(e.resume.end))
	b = be.AppendUint32(b, uint32(len(e.resume.segments)))
	for i := range e.resume.segments {
		s := &e.resume.segments[i]
		for _, v := range [...]int64{s.Base, s.Size, s.MaxTimestamp, s.MaxTimestampOffset, s.FirstTimestamp, s.Created, s.SinceIndex, s.IndexedTimestamp} {
			b = be.AppendUint64(b, uint64(v))
		}
		b = be.AppendUint32(b, uint32(s.IndexEntries))
		b = be.AppendUint32(b, uint32(s.TimeEntries))
	}
	b = be.AppendUint32(b, uint32(len(e.resume.epochs)))
	for _, x := range e.resume.epochs {
		b = be.AppendUint32(b, uint32(x.Epoch))
		b = be.AppendUint64(b, uint64(x.Offset))
	}
	b = be.AppendUint32(b, uint32(len(e.resume.producers)))
	for i := range e.resume.producers {
		b = appendProducer(b, &e.resume.producers[i])
	}
	return b
}

func appendProducer(b []byte, e *seglog.ProducerEntry) []byte {
	be := binary.BigEndian
	b = be.AppendUint64(b, uint64(e.ProducerID))
	b = be.AppendUint16(b, uint16(e.Epoch))
	b = be.AppendUint32(b, uint32(e.LastSequence))
	b = be.AppendUint64(b, uint64(e.LastOffset))
	b = be.AppendUint32(b, uint32(e.OffsetDelta))
	b = be.AppendUint64(b, uint64(e.Timestamp))
	b = be.AppendUint32(b, uint32(e.CoordinatorEpoch))
	b = be.AppendUint64(b, uint64(e.FirstTxnOffset))
	b = append(b, byte(len(e.Earlier)))
	for _, x := range e.Earlier {
		b = be.AppendUint32(b, uint32(x.LastSequence))
		b = be.AppendUint32(b, uint32(x.OffsetDelta))
		b = be.AppendUint64(b, uint64(x.LastOffset))
		b = be.AppendUint64(b, uint64(x.Timestamp))
	}
	return b
}

// encodeMarks makes the file from encoded entries.
func encodeMarks(h marksHead, count int, entries func(yield func([]byte) bool)) []byte {
	be := binary.BigEndian
	b := be.AppendUint32(nil, marksMagic)
	b = be.AppendUint16(b, marksVersion)
	b = be.AppendUint16(b, 0)
	b = be.AppendUint64(b, h.generation)
	b = be.AppendUint64(b, h.sequence)
	b = be.AppendUint32(b, uint32(count))
	entries(func(e []byte) bool {
		b = append(b, e...)
		return true
	})
	return be.AppendUint32(b, castagnoli(b))
}

// errMarksVersion: a newer version wrote the file.
var errMarksVersion = errors.New("moldau.marks of a version that is not known")

// decodeMarks reads the file.
func decodeMarks(b []byte) (marksHead, map[kafka.TopicPartition]*marksEntry, error) {
	be := binary.BigEndian
	if len(b) < marksHeadLen+4 || be.Uint32(b) != marksMagic {
		return marksHead{}, nil, fmt.Errorf("moldau.marks of %d bytes is none", len(b))
	}
	if got, want := castagnoli(b[:len(b)-4]), be.Uint32(b[len(b)-4:]); got != want {
		return marksHead{}, nil, fmt.Errorf("moldau.marks: checksum %08x, its bytes have %08x", want, got)
	}
	if v := be.Uint16(b[4:]); v != marksVersion {
		return marksHead{}, nil, fmt.Errorf("%w: %d, known is %d", errMarksVersion, v, marksVersion)
	}
	r := &reader{b: b[8 : len(b)-4]}
	h := marksHead{generation: r.u64(), sequence: r.u64()}
	n := r.count(marksEntryMin)
	entries := make(map[kafka.TopicPartition]*marksEntry, n)
	for range n {
		e := r.entry()
		if r.short {
			break
		}
		entries[e.id] = e
	}
	if r.short || len(r.b) != 0 || len(entries) != n {
		return marksHead{}, nil, fmt.Errorf("moldau.marks: %d of %d entries, %d bytes left", len(entries), n, len(r.b))
	}
	return h, entries, nil
}

// reader takes numbers off b; short is set, and zeros returned, when it ends.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if r.short || n > len(r.b) {
		r.short = true
		return make([]byte, min(n, producerLen))
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8() byte    { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }
func (r *reader) i64() int64  { return int64(r.u64()) }

// count reads a count of things of size bytes at least, which must be there.
func (r *reader) count(size int) int {
	n := int64(r.u32())
	if r.short || n*int64(size) > int64(len(r.b)) {
		r.short = true
		return 0
	}
	return int(n)
}

func (r *reader) entry() *marksEntry {
	e := &marksEntry{id: idAt(r.take(listEntryLen)), synced: r.i64(), start: r.i64(), asOf: r.u64()}
	switch flags := r.u8(); {
	case r.short || flags == 0:
		return e
	case flags != 1:
		r.short = true
		return e
	}
	x := &resume{end: r.i64()}
	e.resume = x
	x.segments = make([]seglog.Segment, r.count(marksSegmentLen))
	for i := range x.segments {
		s := &x.segments[i]
		s.Base, s.Size, s.MaxTimestamp, s.MaxTimestampOffset = r.i64(), r.i64(), r.i64(), r.i64()
		s.FirstTimestamp, s.Created, s.SinceIndex, s.IndexedTimestamp = r.i64(), r.i64(), r.i64(), r.i64()
		s.IndexEntries, s.TimeEntries = int(r.u32()), int(r.u32())
	}
	x.epochs = make([]seglog.EpochStart, r.count(marksEpochLen))
	for i := range x.epochs {
		x.epochs[i] = seglog.EpochStart{Epoch: int32(r.u32()), Offset: r.i64()}
	}
	x.producers = make([]seglog.ProducerEntry, r.count(producerLen))
	for i := range x.producers {
		x.producers[i] = r.producer()
	}
	r.short = r.short || !x.sound()
	return e
}

func (r *reader) producer() seglog.ProducerEntry {
	e := seglog.ProducerEntry{
		ProducerID: r.i64(), Epoch: int16(r.u16()), LastSequence: int32(r.u32()), LastOffset: r.i64(),
		OffsetDelta: int32(r.u32()), Timestamp: r.i64(), CoordinatorEpoch: int32(r.u32()), FirstTxnOffset: r.i64(),
	}
	n := int(r.u8())
	if n > seglog.ProducerEarlierMax || n*earlierLen > len(r.b) {
		r.short = true
		return e
	}
	for range n {
		e.Earlier = append(e.Earlier, seglog.ProducerBatch{
			LastSequence: int32(r.u32()), OffsetDelta: int32(r.u32()), LastOffset: r.i64(), Timestamp: r.i64(),
		})
	}
	return e
}

// sound reports whether the parts fit each other.
func (x *resume) sound() bool {
	if len(x.segments) == 0 {
		return false
	}
	last := int64(-1)
	for i := range x.segments {
		s := &x.segments[i]
		if s.Base <= last || s.Size < 0 || s.IndexEntries < 0 || s.TimeEntries < 0 {
			return false
		}
		last = s.Base
	}
	epoch := seglog.EpochStart{Epoch: -1, Offset: -1}
	for _, e := range x.epochs {
		if e.Epoch <= epoch.Epoch || e.Offset <= epoch.Offset {
			return false
		}
		epoch = e
	}
	return x.end >= last
}
