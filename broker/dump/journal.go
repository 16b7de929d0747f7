package dump

import (
	"encoding/binary"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
)

const (
	journalMagic     = 0x4d4f4c4a // "MOLJ"
	journalPageLen   = 4096
	journalHeadLen   = 48
	journalListLen   = 20
	journalEnd       = 2
	marksMagic       = 0x4d4f4c4d // "MOLM"
	marksHeadLen     = 4 + 2 + 2
	marksBytesMax    = 1 << 30
	journalItemEntry = 1
	journalItemMark  = 4
)

// journal dumps a block of the log directory's journal: the commits of its
// generation up to the end page. What an older generation left behind that is
// not shown.
func (d *file) journal() error {
	for at := int64(0); at+journalHeadLen <= d.size; {
		head, err := d.readAt(nil, at, journalHeadLen)
		if err != nil {
			return err
		}
		if at == 0 && isZero(head) {
			d.out.line("entry", object{{"position", at}, {"preallocated zero bytes", d.size}})
			return nil
		}
		r := newReader(head)
		magic, version, kind := r.uint(4), r.uint(2), r.uint(2)
		generation, sequence, position, count := r.uint(8), r.uint(8), r.uint(4), r.uint(4)
		listCRC, bodyLen, bodyCRC, headCRC := uint32(r.uint(4)), int64(r.uint(4)), uint32(r.uint(4)), uint32(r.uint(4))
		if magic != journalMagic || crcOf(head[:44]) != headCRC || int64(position) != at {
			d.corrupt(at, nil, "no commit and no end page begins here")
			return nil
		}
		l := object{{"position", at}, {"version", version}, {"generation", generation}, {"sequence", sequence}}
		if kind == journalEnd {
			d.out.line("end", l)
			return nil
		}
		d.out.line("commit", append(l, field{"partitions", count}, field{"bodySize", bodyLen}))
		listLen := int64(count) * journalListLen
		if listLen+bodyLen > d.size-at-journalHeadLen {
			d.corrupt(at, nil, "commit of %d bytes where %d are left", listLen+bodyLen, d.size-at-journalHeadLen)
			return nil
		}
		b, err := d.readAt(nil, at+journalHeadLen, int(listLen+bodyLen))
		if err != nil {
			return err
		}
		d.commit(at, b[:listLen], b[listLen:], listCRC, bodyCRC)
		at += (journalHeadLen + listLen + bodyLen + journalPageLen - 1) / journalPageLen * journalPageLen
	}
	return nil
}

// commit dumps the items of one commit.
func (d *file) commit(at int64, list, body []byte, listCRC, bodyCRC uint32) {
	if crcOf(list) != listCRC {
		d.corrupt(at, nil, "list of partitions: checksum %08x, computed %08x", listCRC, crcOf(list))
	}
	if crcOf(body) != bodyCRC {
		d.corrupt(at, nil, "body: checksum %08x, computed %08x", bodyCRC, crcOf(body))
		return
	}
	r := newReader(body)
	for r.Len() > 0 && !r.Bad() {
		d.item(&r, list)
	}
	if r.Bad() {
		d.corrupt(at, nil, "last item ends early")
	}
}

// item dumps one item: an append, a cut, a log start or a synced-through mark.
func (d *file) item(r *schemaReader, list []byte) {
	names := [...]string{0: "", journalItemEntry: "append", 2: "cut", 3: "logStart", journalItemMark: "mark"}
	kind := int(r.uint(1))
	if kind == 0 || kind >= len(names) {
		r.Fail(kafka.ErrShort)
		return
	}
	var id []byte
	if kind == journalItemMark {
		id = r.Take(journalListLen)
	} else if i := int(r.uint(4)); i < len(list)/journalListLen {
		id = list[i*journalListLen:][:journalListLen]
	}
	if len(id) < journalListLen {
		r.Fail(kafka.ErrShort)
		return
	}
	l := object{{"partition", partitionID(id)}}
	if kind != journalItemEntry {
		d.out.line(names[kind], append(l, field{"offset", int64(r.uint(8))}))
		return
	}
	segment, position, first, last := int64(r.uint(8)), int64(r.uint(8)), int64(r.uint(8)), int64(r.uint(8))
	data := r.Take(int(r.uint(4)))
	l = append(l, field{"segment", segment}, field{"position", position}, field{"firstOffset", first}, field{"lastOffset", last}, field{"size", len(data)})
	d.out.line(names[kind], l)
	for len(data) > 0 {
		h, whole, rest, err := batch.Next(data)
		if err != nil {
			return // the item says where the bytes go; the segment shows what they are
		}
		d.out.line("batch", batchLine(position, &h, batch.CheckCRC(whole) == nil))
		position += int64(len(whole))
		data = rest
	}
}

func partitionID(b []byte) string {
	var tp kafka.TopicPartition
	copy(tp.Topic[:], b)
	tp.Partition = int32(binary.BigEndian.Uint32(b[16:]))
	return tp.String()
}

// marks dumps moldau.marks: the synced-through mark of each partition, and from
// where recovery has to scan.
func (d *file) marks() error {
	b, err := d.whole(marksBytesMax)
	if err != nil {
		return err
	}
	if d.schema, err = parseSchema(schemaText); err != nil {
		return err
	}
	if len(b) < marksHeadLen+4 || binary.BigEndian.Uint32(b) != marksMagic {
		d.corrupt(0, nil, "%d bytes are no marks", len(b))
		return nil
	}
	if crc := binary.BigEndian.Uint32(b[len(b)-4:]); crc != crcOf(b[:len(b)-4]) {
		d.corrupt(int64(len(b)-4), nil, "checksum %08x, computed %08x", crc, crcOf(b[:len(b)-4]))
	}
	r := newReader(b[4 : len(b)-4])
	version := r.uint(2)
	r.Take(2)
	floor, floorSequence := r.uint(8), r.uint(8)
	d.out.line("entry", object{{"version", version}, {"floor", floor}, {"floorSequence", floorSequence}})
	for n := r.uint(4); n > 0 && !r.Bad(); n-- {
		l := d.markLine(&r)
		if !r.Bad() {
			d.out.line("mark", l)
		}
	}
	if r.Bad() || r.Len() > 0 {
		d.corrupt(int64(len(b)-4-r.Len()), nil, "entries do not fill the file")
	}
	return nil
}

// markLine reads one partition's entry; the resume point is there or not.
func (d *file) markLine(r *schemaReader) object {
	parts := d.schema.topics["moldau.marks"]
	l := r.fields(parts[0].value)
	if r.uint(1) == 0 {
		return l
	}
	return append(l, field{"resume", r.fields(parts[1].value)})
}
