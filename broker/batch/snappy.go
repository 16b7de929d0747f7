package batch

import (
	"bytes"
	"encoding/binary"

	"github.com/klauspost/compress/s2"
)

// The framing of snappy-java, which Kafka's own clients write:
//
//	82 'SNAPPY' 00 · version int32 · oldest compatible version int32 ·
//	{ length int32 · raw snappy block }
//
// Other clients write one raw block.

const (
	xerialHeaderLen  = 16
	xerialVersion    = 1
	xerialBlockBytes = 32 << 10 // uncompressed bytes in one block
	// snappyRatioMax: a block's most productive element makes 64 bytes of 3.
	snappyRatioMax = 22
)

var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

func (c *Codecs) decompressSnappy(src []byte) error {
	c.buf = c.buf[:0]
	if !bytes.HasPrefix(src, xerialMagic) {
		return c.snappyBlock(src)
	}
	if len(src) < xerialHeaderLen {
		return corrupt("xerial header of %d bytes", len(src))
	}
	if v := int32(binary.BigEndian.Uint32(src[12:])); v > xerialVersion {
		return corrupt("xerial framing needs version %d", v)
	}
	for src = src[xerialHeaderLen:]; len(src) > 0; {
		if len(src) < 4 {
			return corrupt("xerial block length of %d bytes", len(src))
		}
		n := binary.BigEndian.Uint32(src)
		if uint64(n) > uint64(len(src)-4) {
			return corrupt("xerial block of %d bytes where %d are left", n, len(src)-4)
		}
		if err := c.snappyBlock(src[4 : 4+n]); err != nil {
			return err
		}
		src = src[4+n:]
	}
	return nil
}

// snappyBlock decompresses a raw block to the end of c.buf.
func (c *Codecs) snappyBlock(src []byte) error {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return corrupt("%v", err)
	}
	if n > snappyRatioMax*len(src) {
		return corrupt("snappy block of %d bytes claims to hold %d", len(src), n)
	}
	if err := c.grow(n); err != nil {
		return err
	}
	at := len(c.buf)
	if _, err := s2.Decode(c.buf[at:at+n:at+n], src); err != nil {
		return corrupt("%v", err)
	}
	c.buf = c.buf[:at+n]
	return nil
}

// appendXerial appends src in the framing that every client reads.
func appendXerial(dst, src []byte) []byte {
	dst = append(dst, xerialMagic...)
	dst = binary.BigEndian.AppendUint32(dst, xerialVersion)
	dst = binary.BigEndian.AppendUint32(dst, xerialVersion)
	for len(src) > 0 {
		block := src[:min(len(src), xerialBlockBytes)]
		src = src[len(block):]
		at := len(dst)
		dst = append(dst, make([]byte, 4+s2.MaxEncodedLen(len(block)))...)
		n := len(s2.EncodeSnappy(dst[at+4:], block))
		binary.BigEndian.PutUint32(dst[at:], uint32(n))
		dst = dst[:at+4+n]
	}
	return dst
}
