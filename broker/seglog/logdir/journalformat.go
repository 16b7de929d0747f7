package logdir

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/moldau/moldau/broker/kafka"
)

// The journal's blocks are files of one fixed size, used again and again. Each
// use has a generation of its own; the sequence numbers of commits only rise.
// All numbers are big-endian.
//
//	block:  │ commit │ commit │ ... │ blank page │ blank page │ ... │
//
//	commit (begins on a page, takes whole pages):
//	┌───────┬─────────┬──────┬────────────┬──────────┬──────────┬───────┬──────────┬─────────┬─────────┬──────────┐
//	│ magic │ version │ kind │ generation │ sequence │ position │ count │ list crc │ body    │ body    │ head crc │
//	│ u32   │ u16     │ u16  │ u64        │ u64      │ u32      │ u32   │ u32      │ len u32 │ crc u32 │ u32      │
//	├───────┴─────────┴──────┴────────────┴──────────┴──────────┴───────┴──────────┴─────────┴─────────┴──────────┤
//	│ list: count × { topic id 16, partition i32 }: whom the entries, cuts and log starts are of                  │
//	├─────────────────────────────────────────────────────────────────────────────────────────────────────────────┤
//	│ body: items, each a kind u8 and                                                                             │
//	│   1 entry      list index u32, segment i64, position i64, first offset i64, last offset i64, len u32, bytes │
//	│   2 cut        list index u32, offset i64                                                                   │
//	│   3 log start  list index u32, offset i64                                                                   │
//	│   4 mark       topic id 16, partition i32, S i64                                                            │
//	└─────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
//
// Before a block is used, every page of it is made blank: a head of kind 2
// with the generation of the use to come. So the page where a commit may begin
// holds a commit's head or a blank one of its generation, and anything else
// has rotted: a commit that was never completed cannot be mistaken for one
// that was lost. (A head lies within one sector, which a disk writes wholly or
// not at all.) A block whose first page is blank, or a commit that moldau.marks
// calls done, holds nothing.
const (
	journalMagic   = 0x4d4f4c4a // "MOLJ"
	journalVersion = 1

	headLen       = 48
	listEntryLen  = 20
	entryHeadLen  = 1 + 4 + 8 + 8 + 8 + 8 + 4
	offsetItemLen = 1 + 4 + 8
	markItemLen   = 1 + 16 + 4 + 8
)

type pageKind uint16

const (
	kindCommit pageKind = 1
	kindBlank  pageKind = 2
)

type itemKind uint8

const (
	itemEntry    itemKind = 1
	itemCut      itemKind = 2
	itemLogStart itemKind = 3
	itemMark     itemKind = 4
)

// head is the beginning of a commit or a blank page.
type head struct {
	kind       pageKind
	generation uint64
	sequence   uint64
	position   uint32
	count      uint32
	listCRC    uint32
	bodyLen    uint32
	bodyCRC    uint32
}

// castagnoli makes the table of CRC-32C; the library keeps one.
func castagnoli(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// put writes h into b, which has headLen bytes.
func (h *head) put(b []byte) {
	be := binary.BigEndian
	be.PutUint32(b[0:], journalMagic)
	be.PutUint16(b[4:], journalVersion)
	be.PutUint16(b[6:], uint16(h.kind))
	be.PutUint64(b[8:], h.generation)
	be.PutUint64(b[16:], h.sequence)
	be.PutUint32(b[24:], h.position)
	be.PutUint32(b[28:], h.count)
	be.PutUint32(b[32:], h.listCRC)
	be.PutUint32(b[36:], h.bodyLen)
	be.PutUint32(b[40:], h.bodyCRC)
	be.PutUint32(b[44:], castagnoli(b[:44]))
}

// errNoHead: the bytes are no head of this journal.
var errNoHead = errors.New("no journal page begins here")

// errJournalVersion: a newer version wrote this.
var errJournalVersion = errors.New("journal of a version that is not known")

// parseHead reads a head at position, which its own field must name.
func parseHead(b []byte, position int64) (head, error) {
	be := binary.BigEndian
	if len(b) < headLen || be.Uint32(b) != journalMagic || be.Uint32(b[44:]) != castagnoli(b[:44]) {
		return head{}, errNoHead
	}
	if v := be.Uint16(b[4:]); v != journalVersion {
		return head{}, fmt.Errorf("%w: %d, known is %d", errJournalVersion, v, journalVersion)
	}
	h := head{
		kind: pageKind(be.Uint16(b[6:])), generation: be.Uint64(b[8:]), sequence: be.Uint64(b[16:]),
		position: be.Uint32(b[24:]), count: be.Uint32(b[28:]), listCRC: be.Uint32(b[32:]),
		bodyLen: be.Uint32(b[36:]), bodyCRC: be.Uint32(b[40:]),
	}
	if int64(h.position) != position || h.kind != kindCommit && h.kind != kindBlank {
		return head{}, errNoHead
	}
	return h, nil
}

// size is the commit's length in bytes, whole pages.
func (h *head) size() int64 {
	return pages(headLen + int64(h.count)*listEntryLen + int64(h.bodyLen))
}

// pages rounds up to whole pages.
func pages(n int64) int64 { return (n + pageBytes - 1) / pageBytes * pageBytes }

// appendID appends a partition's identity.
func appendID(b []byte, id kafka.TopicPartition) []byte {
	b = append(b, id.Topic[:]...)
	return binary.BigEndian.AppendUint32(b, uint32(id.Partition))
}

func idAt(b []byte) (id kafka.TopicPartition) {
	copy(id.Topic[:], b)
	id.Partition = int32(binary.BigEndian.Uint32(b[16:]))
	return id
}

func appendEntry(b []byte, index int, e *entry) []byte {
	b = append(b, byte(itemEntry))
	b = binary.BigEndian.AppendUint32(b, uint32(index))
	b = binary.BigEndian.AppendUint64(b, uint64(e.segment))
	b = binary.BigEndian.AppendUint64(b, uint64(e.position))
	b = binary.BigEndian.AppendUint64(b, uint64(e.first))
	b = binary.BigEndian.AppendUint64(b, uint64(e.last))
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.data.Bytes)))
	return append(b, e.data.Bytes...)
}

func appendOffsetItem(b []byte, kind itemKind, index int, offset int64) []byte {
	b = append(b, byte(kind))
	b = binary.BigEndian.AppendUint32(b, uint32(index))
	return binary.BigEndian.AppendUint64(b, uint64(offset))
}

func appendMark(b []byte, id kafka.TopicPartition, s int64) []byte {
	b = appendID(append(b, byte(itemMark)), id)
	return binary.BigEndian.AppendUint64(b, uint64(s))
}

// journalItem is an item as it is read back. Data aliases the block.
type journalItem struct {
	kind                           itemKind
	id                             kafka.TopicPartition
	segment, position, first, last int64
	offset                         int64 // of a cut, a log start, a mark
	data                           []byte
	sequence                       uint64
}

// parseList decodes the partitions that a commit names. b has count entries.
func parseList(b []byte) []kafka.TopicPartition {
	ids := make([]kafka.TopicPartition, 0, len(b)/listEntryLen)
	for ; len(b) >= listEntryLen; b = b[listEntryLen:] {
		ids = append(ids, idAt(b))
	}
	return ids
}

// parseBody decodes the items of a commit whose checksums hold, so that an
// error means a fault of the program that wrote it.
func parseBody(b []byte, ids []kafka.TopicPartition, sequence uint64, take func(journalItem)) error {
	be := binary.BigEndian
	for len(b) > 0 {
		it := journalItem{kind: itemKind(b[0]), sequence: sequence}
		need := offsetItemLen
		switch it.kind {
		case itemEntry:
			need = entryHeadLen
		case itemMark:
			need = markItemLen
		case itemCut, itemLogStart:
		default:
			return fmt.Errorf("journal commit %d: item of unknown kind %d", sequence, b[0])
		}
		if len(b) < need {
			return fmt.Errorf("journal commit %d: item of %d bytes, %d are left", sequence, need, len(b))
		}
		if it.kind == itemMark {
			it.id, it.offset = idAt(b[1:]), int64(be.Uint64(b[21:]))
			b = b[need:]
			take(it)
			continue
		}
		index := be.Uint32(b[1:])
		if int64(index) >= int64(len(ids)) {
			return fmt.Errorf("journal commit %d: item of partition %d of %d", sequence, index, len(ids))
		}
		it.id = ids[index]
		if it.kind != itemEntry {
			it.offset = int64(be.Uint64(b[5:]))
			b = b[need:]
			take(it)
			continue
		}
		it.segment, it.position = int64(be.Uint64(b[5:])), int64(be.Uint64(b[13:]))
		it.first, it.last = int64(be.Uint64(b[21:])), int64(be.Uint64(b[29:]))
		n := int64(be.Uint32(b[37:]))
		b = b[need:]
		if n > int64(len(b)) || it.segment < 0 || it.position < 0 || it.first < it.segment || it.last < it.first {
			return fmt.Errorf("journal commit %d: entry of %d bytes at offsets %d to %d of segment %d", sequence, n, it.first, it.last, it.segment)
		}
		it.data = b[:n:n]
		b = b[n:]
		take(it)
	}
	return nil
}
