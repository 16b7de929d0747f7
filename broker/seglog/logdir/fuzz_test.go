package logdir

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
)

// sampleMarks is a file with one entry of each kind.
func sampleMarks() []byte {
	full := encodeEntry(nil, &marksEntry{
		id: kafka.TopicPartition{Topic: topicID(1), Partition: 3}, synced: 40, start: 2, asOf: 9,
		resume: &resume{
			end: 41, segments: []seglog.Segment{emptyInfo(0, 5), {Base: 30, Size: 77, MaxTimestamp: 8, MaxTimestampOffset: 31, IndexEntries: 1}},
			epochs: []seglog.EpochStart{{Epoch: 1, Offset: 0}, {Epoch: 4, Offset: 33}},
			producers: []seglog.ProducerEntry{{ProducerID: 7, Epoch: 1, LastSequence: 3, LastOffset: 40, FirstTxnOffset: -1, Earlier: []seglog.ProducerBatch{
				{LastSequence: 0, LastOffset: 36, Timestamp: 4}, {LastSequence: 1, OffsetDelta: 1, LastOffset: 38, Timestamp: 5},
			}}},
		},
	})
	bare := encodeEntry(nil, &marksEntry{id: kafka.TopicPartition{Topic: topicID(2)}, synced: 1})
	return encodeMarks(marksHead{generation: 3, sequence: 17}, 2, func(yield func([]byte) bool) {
		yield(full)
		yield(bare)
	})
}

func TestMarksRoundTrip(t *testing.T) {
	b := sampleMarks()
	h, entries, err := decodeMarks(b)
	if err != nil || h != (marksHead{3, 17}) || len(entries) != 2 {
		t.Fatal(h, len(entries), err)
	}
	e := entries[kafka.TopicPartition{Topic: topicID(1), Partition: 3}]
	if e == nil || e.synced != 40 || e.start != 2 || e.asOf != 9 || e.resume.end != 41 || len(e.resume.producers) != 1 || e.resume.segments[1].Size != 77 {
		t.Fatalf("%+v", e)
	}
	if got := fmt.Sprint(e.resume.producers[0].Earlier); got != "[{0 0 36 4} {1 1 38 5}]" {
		t.Errorf("batches before the last: %s", got)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if _, _, err := decodeMarks(bad); err == nil {
			t.Fatalf("a changed byte %d goes unseen", i)
		}
		if _, _, err := decodeMarks(b[:i]); err == nil {
			t.Fatalf("%d of %d bytes pass", i, len(b))
		}
	}
}

// FuzzMarks: whatever the bytes, with a checksum that fits, the decoder returns.
func FuzzMarks(f *testing.F) {
	f.Add(sampleMarks())
	f.Add(encodeMarks(marksHead{}, 0, func(func([]byte) bool) {}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 4 {
			return
		}
		b = bytes.Clone(b[:len(b)-4])
		sum := castagnoli(b)
		b = append(b, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
		h, entries, err := decodeMarks(b)
		if err != nil {
			return
		}
		// What passes can be written again and means the same.
		table := marksTable{head: h, entries: map[kafka.TopicPartition]*tableEntry{}}
		for _, e := range entries {
			table.put(e, 0)
		}
		h2, again, err := decodeMarks(table.encode())
		if err != nil || h2 != h || len(again) != len(entries) {
			t.Fatalf("%v: %+v with %d entries became %+v with %d", err, h, len(entries), h2, len(again))
		}
	})
}

// sampleBlock is a block of two commits.
func sampleBlock() []byte {
	var body []byte
	body = appendEntry(body, 0, &entry{segment: 3, position: 10, first: 4, last: 6, data: buffer.Own([]byte("batches"))})
	body = appendOffsetItem(body, itemCut, 1, 9)
	body = appendOffsetItem(body, itemLogStart, 0, 5)
	body = appendMark(body, kafka.TopicPartition{Topic: topicID(5)}, 8)
	list := appendID(appendID(nil, kafka.TopicPartition{Topic: topicID(1)}), kafka.TopicPartition{Topic: topicID(2), Partition: 1})
	block := make([]byte, 4*pageBytes)
	for page := range 4 {
		h := head{kind: kindBlank, generation: 6, position: uint32(page * pageBytes)}
		h.put(block[page*pageBytes:])
	}
	for k := range 2 {
		h := head{
			kind: kindCommit, generation: 6, sequence: uint64(20 + k), position: uint32(k * pageBytes), count: 2,
			listCRC: castagnoli(list), bodyLen: uint32(len(body)), bodyCRC: castagnoli(body),
		}
		at := block[k*pageBytes:]
		h.put(at)
		copy(at[headLen:], list)
		copy(at[headLen+len(list):], body)
	}
	return block
}

func TestReadBlock(t *testing.T) {
	r, err := readBlock(sampleBlock(), 0)
	if err != nil || len(r.commits) != 2 || r.broken || r.generation != 6 {
		t.Fatalf("%+v %v", r, err)
	}
	var items []journalItem
	c := r.commits[0]
	if err := parseBody(c.body, c.ids, 20, func(it journalItem) { items = append(items, it) }); err != nil || len(items) != 4 {
		t.Fatal(items, err)
	}
	if it := items[0]; it.segment != 3 || it.position != 10 || it.first != 4 || it.last != 6 || string(it.data) != "batches" {
		t.Errorf("%+v", it)
	}
	// Done commits are none; a head that has rotted is seen, a commit behind it found.
	if r, _ = readBlock(sampleBlock(), 20); len(r.commits) != 0 {
		t.Errorf("%d commits of a block that begins with a done one", len(r.commits))
	}
	bad := sampleBlock()
	bad[20] ^= 1
	if r, _ = readBlock(bad, 0); !r.broken || len(r.commits) != 1 || r.commits[0].head.sequence != 21 {
		t.Errorf("%+v", r)
	}
	bad = sampleBlock()
	bad[2*pageBytes+20] ^= 1
	if r, _ = readBlock(bad, 0); !r.broken || len(r.commits) != 2 {
		t.Errorf("a blank page that has rotted: %+v", r)
	}
}

// FuzzJournal: whatever the bytes of a block, with heads whose checksums fit,
// the reader returns and its items lie within the bytes.
func FuzzJournal(f *testing.F) {
	f.Add(sampleBlock(), uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, sums uint8) {
		b = bytes.Clone(b)
		for at := 0; at+pageBytes <= len(b) && at < int(sums)*pageBytes; at += pageBytes {
			h, err := parseHead(b[at:], int64(at))
			if err != nil {
				continue
			}
			if n := headLen + int64(h.count)*listEntryLen + int64(h.bodyLen); n <= int64(len(b)-at) {
				list := b[at+headLen:][:h.count*listEntryLen]
				h.listCRC, h.bodyCRC = castagnoli(list), castagnoli(b[at+headLen+len(list):][:h.bodyLen])
				h.put(b[at:])
			}
		}
		r, err := readBlock(b, 0)
		if err != nil {
			return
		}
		for i := range r.commits {
			c := &r.commits[i]
			total := 0
			_ = parseBody(c.body, c.ids, c.head.sequence, func(it journalItem) { total += len(it.data) })
			if total > len(b) {
				t.Fatalf("items of %d bytes in a block of %d", total, len(b))
			}
		}
	})
}
