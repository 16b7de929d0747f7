package batch

import (
	"encoding/binary"

	"github.com/pierrec/lz4/v4"
)

// The LZ4 frame format, as far as Kafka takes it: independent blocks, no
// dictionary.
//
//	magic 04224D18 · FLG · BD · [content size 8] · header checksum ·
//	{ size 4 (high bit: not compressed) · bytes · [block checksum 4] } · 0 size · [content checksum 4]

const (
	lz4Magic            = 0x184D2204
	lz4FlagReserved     = 0x03
	lz4FlagContentSum   = 0x04
	lz4FlagContentSize  = 0x08
	lz4FlagBlockSum     = 0x10
	lz4FlagIndependent  = 0x20
	lz4Version          = 0x40
	lz4VersionMask      = 0xc0
	lz4BlockSize64K     = 4 // code of the smallest block size; each further one is 4 times as large
	lz4NotCompressed    = 1 << 31
	lz4RatioMax         = 255 // a byte of a block makes no more than that
	lz4WriteBlockBytes  = 64 << 10
	lz4DefaultLevel     = 9 // Kafka's default, which means its fast compressor
	lz4SearchDepthFirst = 8 // level 1 searches 1<<(8+1-1) deep
)

// lz4Frame is a frame's header.
type lz4Frame struct {
	blockMax   int
	blockSum   bool
	contentSum bool
	headerLen  int
}

func parseLZ4Frame(src []byte) (f lz4Frame, err error) {
	if len(src) < 7 {
		return f, corrupt("lz4 frame of %d bytes", len(src))
	}
	if m := binary.LittleEndian.Uint32(src); m != lz4Magic {
		return f, corrupt("lz4 magic %08x", m)
	}
	flg, bd := src[4], src[5]
	size := bd >> 4 & 7
	switch {
	case flg&lz4VersionMask != lz4Version:
		return f, corrupt("lz4 frame version %d", flg>>6)
	case flg&lz4FlagIndependent == 0:
		return f, corrupt("lz4 blocks depend on each other, which Kafka's clients do not read")
	case flg&lz4FlagReserved != 0 || bd&0x8f != 0:
		return f, corrupt("lz4 frame flags %02x %02x", flg, bd)
	case size < lz4BlockSize64K:
		return f, corrupt("lz4 block size code %d", size)
	}
	f = lz4Frame{
		blockMax: 64 << 10 << (2 * (size - lz4BlockSize64K)), headerLen: 7,
		blockSum: flg&lz4FlagBlockSum != 0, contentSum: flg&lz4FlagContentSum != 0,
	}
	if flg&lz4FlagContentSize != 0 {
		f.headerLen += 8
	}
	if len(src) < f.headerLen {
		return f, corrupt("lz4 frame of %d bytes", len(src))
	}
	if sum := byte(xxh32(src[4:f.headerLen-1]) >> 8); sum != src[f.headerLen-1] {
		return f, corrupt("lz4 header checksum %02x, computed %02x", src[f.headerLen-1], sum)
	}
	return f, nil
}

func (c *Codecs) decompressLZ4(src []byte) error {
	c.buf = c.buf[:0]
	f, err := parseLZ4Frame(src)
	if err != nil {
		return err
	}
	src = src[f.headerLen:]
	for {
		if len(src) < 4 {
			return corrupt("lz4 frame ends without its end mark")
		}
		head := binary.LittleEndian.Uint32(src)
		src = src[4:]
		if head == 0 {
			break
		}
		n := int(head &^ lz4NotCompressed)
		need := n
		if f.blockSum {
			need += 4
		}
		if n > f.blockMax || need > len(src) {
			return corrupt("lz4 block of %d bytes where %d are left and %d allowed", n, len(src), f.blockMax)
		}
		if f.blockSum && binary.LittleEndian.Uint32(src[n:]) != xxh32(src[:n]) {
			return corrupt("lz4 block checksum")
		}
		if err := c.lz4Block(src[:n], head&lz4NotCompressed == 0, f.blockMax); err != nil {
			return err
		}
		src = src[need:]
	}
	if f.contentSum && (len(src) < 4 || binary.LittleEndian.Uint32(src) != xxh32(c.buf)) {
		return corrupt("lz4 content checksum")
	}
	return nil
}

// lz4Block decompresses one block to the end of c.buf.
func (c *Codecs) lz4Block(src []byte, compressed bool, blockMax int) error {
	if !compressed {
		if err := c.grow(len(src)); err != nil {
			return err
		}
		c.buf = append(c.buf, src...)
		return nil
	}
	room := min(blockMax, lz4RatioMax*len(src), c.maxDecompressed-len(c.buf))
	if err := c.grow(room); err != nil {
		return err
	}
	at := len(c.buf)
	n, err := lz4.UncompressBlock(src, c.buf[at:at+room:at+room])
	switch {
	case err == nil:
		c.buf = c.buf[:at+n]
		return nil
	case at+room == c.maxDecompressed && room < min(blockMax, lz4RatioMax*len(src)):
		// The block may be good and the limit in its way.
		return c.grow(room + 1)
	}
	return corrupt("%v", err)
}

// appendLZ4 writes a frame of 64-KiB blocks.
func (c *Codecs) appendLZ4(dst, src []byte, level int) ([]byte, error) {
	dst = binary.LittleEndian.AppendUint32(dst, lz4Magic)
	at := len(dst)
	dst = append(dst, lz4Version|lz4FlagIndependent, lz4BlockSize64K<<4)
	dst = append(dst, byte(xxh32(dst[at:])>>8))
	for len(src) > 0 {
		block := src[:min(len(src), lz4WriteBlockBytes)]
		src = src[len(block):]
		at := len(dst)
		dst = append(dst, make([]byte, 4+lz4.CompressBlockBound(len(block)))...)
		n, err := c.lz4Compress(block, dst[at+4:], level)
		if err != nil {
			return nil, err
		}
		head := uint32(n)
		if n == 0 || n >= len(block) {
			n = copy(dst[at+4:], block)
			head = uint32(n) | lz4NotCompressed
		}
		binary.LittleEndian.PutUint32(dst[at:], head)
		dst = dst[:at+4+n]
	}
	return append(dst, 0, 0, 0, 0), nil
}

func (c *Codecs) lz4Compress(src, dst []byte, level int) (int, error) {
	if level == 0 || level == lz4DefaultLevel {
		if c.lz4Fast == nil {
			c.lz4Fast = new(lz4.Compressor)
		}
		return c.lz4Fast.CompressBlock(src, dst)
	}
	if c.lz4High == nil {
		c.lz4High = new(lz4.CompressorHC)
	}
	c.lz4High.Level = 1 << (lz4SearchDepthFirst + min(level, lz4DefaultLevel) - 1)
	return c.lz4High.CompressBlock(src, dst)
}
