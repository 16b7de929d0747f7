package raftmeta

import (
	"encoding/binary"
	"fmt"

	"github.com/moldau/moldau/broker/kafka"
)

// A raft connection to the controller listener begins with a preamble, big
// endian. Its first int32 is negative, which no Kafka frame's is:
//
//	magic u32 | version u16 | length u16 of what follows | crc32c u32 of it |
//	from node i32 | from directory 16 | to node i32 | to directory 16 | cluster id
//
// The acceptor answers one byte: preambleAccepted, or a refusal after which it
// closes. Raft's own calls do not check whom they reach; this does.
const (
	preambleMagic       = 0xCD4C5246
	preambleVersion     = 1
	preambleHeaderLen   = 12
	preambleFixedLen    = 4 + 16 + 4 + 16
	clusterIDBytesMax   = 256
	preambleBytesMax    = preambleHeaderLen + preambleFixedLen + clusterIDBytesMax
	preambleAccepted    = 0
	preambleRefused     = 1 // another cluster, node or directory
	preambleUnavailable = 2 // raft does not run here now
)

// IsRaft reports whether a connection whose first four bytes are these is one
// of raft's.
func IsRaft(first [4]byte) bool { return binary.BigEndian.Uint32(first[:]) == preambleMagic }

// Peer is one end of a raft connection.
type Peer struct {
	Node      int32
	Directory kafka.UUID
}

func (p Peer) String() string { return string(ServerID(p.Node, p.Directory)) }

type preamble struct {
	from, to  Peer
	clusterID string
}

func (p preamble) append(dst []byte) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, preambleMagic)
	dst = binary.BigEndian.AppendUint16(dst, preambleVersion)
	dst = binary.BigEndian.AppendUint16(dst, uint16(preambleFixedLen+len(p.clusterID)))
	dst = append(dst, 0, 0, 0, 0)
	for _, end := range []Peer{p.from, p.to} {
		dst = binary.BigEndian.AppendUint32(dst, uint32(end.Node))
		dst = append(dst, end.Directory[:]...)
	}
	dst = append(dst, p.clusterID...)
	binary.BigEndian.PutUint32(dst[start+8:], crcOf(dst[start+preambleHeaderLen:]))
	return dst
}

// preambleRest is how many bytes follow the header in b.
func preambleRest(b []byte) (int, error) {
	if magic := binary.BigEndian.Uint32(b); magic != preambleMagic {
		return 0, fmt.Errorf("raft preamble: magic %08x", magic)
	}
	if v := binary.BigEndian.Uint16(b[4:]); v != preambleVersion {
		return 0, fmt.Errorf("raft preamble: version %d, this program knows %d: %w", v, preambleVersion, ErrNewerFormat)
	}
	n := int(binary.BigEndian.Uint16(b[6:]))
	if n < preambleFixedLen || n > preambleBytesMax-preambleHeaderLen {
		return 0, fmt.Errorf("raft preamble: length %d", n)
	}
	return n, nil
}

// parsePreamble decodes header and rest.
func parsePreamble(b []byte) (p preamble, err error) {
	rest := b[preambleHeaderLen:]
	if crcOf(rest) != binary.BigEndian.Uint32(b[8:]) {
		return p, fmt.Errorf("raft preamble: checksum")
	}
	p.from.Node = int32(binary.BigEndian.Uint32(rest))
	copy(p.from.Directory[:], rest[4:])
	p.to.Node = int32(binary.BigEndian.Uint32(rest[20:]))
	copy(p.to.Directory[:], rest[24:])
	p.clusterID = string(rest[preambleFixedLen:])
	return p, nil
}
