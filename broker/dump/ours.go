package dump

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
)

// What is Moldau's own in a log directory: plain files named moldau.*. Their
// formats are described where they are written (raftmeta, seglog/logdir); the
// readers here are written apart from those, and tested against them.

const (
	raftHeaderLen     = 8 + 4 + 8 + 4
	raftPrefixLen     = 4 + 4
	raftFixedLen      = 8 + 8 + 8 + 8 + 1 + 4
	raftEntryBytesMax = 16 << 20
	raftCommand       = 0
	metadataEntryLen  = 1 + 8 + 8
)

// ownKind is how to dump one of Moldau's own files, nil for an unknown one.
func (d *file) ownKind() func() error {
	switch {
	case strings.HasPrefix(d.name, "moldau.raft."):
		return d.raftSegment
	case strings.HasPrefix(d.name, "moldau.damaged-"): // the tail of a segment
		return d.segment
	case strings.HasPrefix(d.name, "moldau.journal-"):
		return d.journal
	case d.name == "moldau.marks":
		return d.marks
	case d.name == "moldau.stable":
		return d.stable
	case d.name == "moldau.directory":
		return d.properties
	case strings.HasPrefix(d.name, "moldau.") && strings.HasSuffix(d.name, ".meta"):
		return d.snapshotMeta
	}
	return nil
}

func crcOf(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// raftSegment dumps a segment of raft's log, with the metadata records in its entries.
func (d *file) raftSegment() error {
	d.codecs = batch.NewCodecs(batch.Limits{})
	records, err := d.recordPrinter()
	if err != nil {
		return err
	}
	if records.topic == "" {
		records.topic = kafka.MetadataTopicName
	}
	head, err := d.readAt(nil, 0, int(min(raftHeaderLen, d.size)))
	if err != nil {
		return err
	}
	if len(head) < raftHeaderLen || string(head[:8]) != "MOLDRAFT" || crcOf(head[:20]) != binary.BigEndian.Uint32(head[20:]) {
		d.corrupt(0, nil, "no header of a raft segment")
	} else {
		d.out.line("entry", object{{"version", binary.BigEndian.Uint32(head[8:])}, {"firstIndex", binary.BigEndian.Uint64(head[12:])}})
	}
	for at := int64(raftHeaderLen); at < d.size; {
		body, err := d.raftBody(at)
		if err != nil {
			return err
		}
		if body == nil {
			return d.raftTail(at)
		}
		d.raftEntry(at, body, records)
		at += raftPrefixLen + int64(len(body))
	}
	return nil
}

// raftBody is the body of the entry at a position, nil when none is there.
func (d *file) raftBody(at int64) ([]byte, error) {
	if d.size-at < raftPrefixLen {
		return nil, nil
	}
	prefix, err := d.readAt(nil, at, raftPrefixLen)
	if err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(prefix))
	if n < raftFixedLen || n > raftEntryBytesMax || n > d.size-at-raftPrefixLen {
		return nil, nil
	}
	body, err := d.readAt(nil, at+raftPrefixLen, int(n))
	if err != nil || crcOf(body) != binary.BigEndian.Uint32(prefix[4:]) || int64(binary.BigEndian.Uint32(body[33:])) > n-raftFixedLen {
		return nil, err
	}
	return body, nil
}

// raftTail reports what follows the last whole entry.
func (d *file) raftTail(at int64) error {
	zeros, err := d.zerosToEnd(at)
	if err != nil {
		return err
	}
	if zeros {
		d.out.line("entry", object{{"position", at}, {"preallocated zero bytes", d.size - at}})
	} else {
		d.corrupt(at, nil, "no whole entry begins here; %d bytes are not read", d.size-at)
	}
	return nil
}

func (d *file) raftEntry(at int64, body []byte, records *recordPrinter) {
	r := newReader(body)
	index, term, synced, appended, kind := r.uint(8), r.uint(8), r.uint(8), int64(r.uint(8)), r.uint(1)
	extensions := r.Take(int(r.uint(4)))
	var when any
	if appended != 0 {
		when = time.Unix(0, appended).UTC().Format(time.RFC3339Nano)
	}
	l := object{{"index", index}, {"term", term}, {"synced", synced}, {"appendedAt", when}, {"position", at}, {"size", raftPrefixLen + len(body)}, {"type", raftType(kind)}}
	if len(extensions) > 0 {
		l = append(l, field{"extensions", extensions})
	}
	data := r.Take(r.Len())
	if kind != raftCommand || len(data) < metadataEntryLen {
		d.out.line("entry", append(l, field{"data", data}))
		return
	}
	base := int64(binary.BigEndian.Uint64(data[9:]))
	l = append(l, field{"format", data[0]}, field{"proposedTerm", binary.BigEndian.Uint64(data[1:])}, field{"baseOffset", base})
	d.out.line("entry", l)
	h, whole, rest, err := batch.Next(data[metadataEntryLen:])
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow the batch of entry %d", len(rest), index)
	}
	if err != nil {
		d.corrupt(at, base, "%v", err)
		return
	}
	d.batch(at+int64(raftPrefixLen+len(body)-len(whole)), h.BaseOffset, &h, whole, records)
}

// raftType is the name of raft's log type.
func raftType(kind uint64) string {
	names := [...]string{"command", "noop", "addPeerDeprecated", "removePeerDeprecated", "barrier", "configuration"}
	if kind < uint64(len(names)) {
		return names[kind]
	}
	return fmt.Sprint("type ", kind)
}

const (
	stableSlotLen   = 4096
	stableHeaderLen = 4 + 4 + 8 + 4 + 4
)

// stable dumps raft's term and vote: two slots, of which the newer counts.
func (d *file) stable() error {
	b, err := d.whole(textBytesMax)
	if err != nil {
		return err
	}
	for at := 0; at < len(b); at += stableSlotLen {
		slot := b[at:min(at+stableSlotLen, len(b))]
		if isZero(slot) {
			continue
		}
		d.stableSlot(at, slot)
	}
	return nil
}

func (d *file) stableSlot(at int, slot []byte) {
	r := newReader(slot)
	magic, version, sequence, n, crc := r.Take(4), r.uint(4), r.uint(8), r.uint(4), uint32(r.uint(4))
	payload := r.Take(int(n))
	if r.Bad() || string(magic) != "MSTB" || crcOf(append(append([]byte{}, slot[:stableHeaderLen-4]...), payload...)) != crc {
		d.corrupt(int64(at), nil, "no valid slot")
		return
	}
	l := object{{"position", at}, {"version", version}, {"sequence", sequence}}
	p := newReader(payload)
	for left := p.uint(2); left > 0 && !p.Bad(); left-- {
		key, value := p.Take(int(p.uint(2))), p.Take(int(p.uint(2)))
		if len(value) == 8 {
			l = append(l, field{string(key), binary.BigEndian.Uint64(value)})
		} else {
			l = append(l, field{string(key), value})
		}
	}
	d.out.line("entry", l)
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// snapshotMeta dumps what raft knows of a checkpoint: a line with a checksum, then JSON.
func (d *file) snapshotMeta() error {
	b, err := d.whole(textBytesMax)
	if err != nil {
		return err
	}
	first, rest, _ := strings.Cut(string(b), "\n")
	var version int
	var crc uint32
	if _, err := fmt.Sscanf(first, "moldau-snapshot %d %x", &version, &crc); err != nil || crcOf([]byte(rest)) != crc {
		d.corrupt(0, nil, "first line %q does not fit the rest", first)
	}
	return d.jsonText(int64(len(first)+1), rest)
}
