package batch

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

const (
	// zstdWindowMax is the largest window that Kafka's own decoder takes.
	zstdWindowMax    = 1 << 27
	zstdBlockMax     = 128 << 10 // decompressed bytes of one block
	zstdDefaultLevel = 3
	// zstdWriteWindow is the encoder's window: whole batches of the usual
	// sizes, at a fraction of the memory that its levels would take.
	zstdWriteWindow = 1 << 20
)

func (c *Codecs) decompressZstd(src []byte) error {
	c.buf = c.buf[:0]
	bound, claimed, err := zstdBound(src)
	switch {
	case err != nil:
		return err
	case claimed > c.maxDecompressed:
		return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, c.maxDecompressed)
	case claimed > cap(c.buf):
		c.buf = make([]byte, 0, claimed) // the blocks can hold as much
	}
	if c.unzstd == nil {
		c.unzstd, err = zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true),
			zstd.WithDecoderMaxWindow(zstdWindowMax))
		if err != nil {
			return err
		}
	}
	for {
		out, err := c.unzstd.DecodeAll(src, c.buf[:0])
		if err == nil {
			c.buf = out
			return nil
		}
		if !errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			return corrupt("%v", err)
		}
		// The room was too small. What the blocks can make bounds the next try.
		if cap(c.buf) >= bound {
			return corrupt("frame claims more than its blocks can hold")
		}
		if cap(c.buf) >= c.maxDecompressed {
			return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, c.maxDecompressed)
		}
		c.buf = make([]byte, 0, min(2*cap(c.buf), c.maxDecompressed))
	}
}

// zstdBound walks the headers of src's frames and blocks: the most bytes that
// they can decompress to, and how many the frames that tell their size claim.
func zstdBound(src []byte) (bound, claimed int, err error) {
	for len(src) > 0 {
		var h zstd.Header
		if err := h.Decode(src); err != nil {
			return 0, 0, corrupt("%v", err)
		}
		if h.Skippable {
			n := 8 + uint64(h.SkippableSize)
			if n > uint64(len(src)) {
				return 0, 0, corrupt("skippable frame of %d bytes where %d are left", n, len(src))
			}
			src = src[n:]
			continue
		}
		if h.WindowSize > zstdWindowMax {
			return 0, 0, corrupt("zstd window of %d bytes", h.WindowSize)
		}
		n, used, err := zstdFrameBound(src[h.HeaderSize:])
		if err != nil {
			return 0, 0, err
		}
		used += h.HeaderSize
		if h.HasCheckSum {
			used += 4
		}
		if used > len(src) {
			return 0, 0, corrupt("zstd frame ends early")
		}
		if h.HasFCS && h.FrameContentSize > uint64(n) {
			return 0, 0, corrupt("zstd frame of %d bytes claims to hold %d", used, h.FrameContentSize)
		}
		bound += n
		if h.HasFCS {
			claimed += int(h.FrameContentSize)
		}
		src = src[used:]
	}
	return bound, claimed, nil
}

// zstdFrameBound walks the blocks of one frame.
func zstdFrameBound(src []byte) (bound, used int, err error) {
	const rle, compressed = 1, 2
	for {
		if used+3 > len(src) {
			return 0, 0, corrupt("zstd block header is cut")
		}
		h := uint32(binary.LittleEndian.Uint16(src[used:])) | uint32(src[used+2])<<16
		used += 3
		last, kind, size := h&1 != 0, h>>1&3, int(h>>3)
		if size > zstdBlockMax {
			return 0, 0, corrupt("zstd block of %d bytes", size)
		}
		switch {
		case kind == rle:
			bound += size
			used++
		case kind == compressed:
			bound += zstdBlockMax
			used += size
		default:
			bound += size
			used += size
		}
		if used > len(src) {
			return 0, 0, corrupt("zstd block is cut")
		}
		if last {
			return bound, used, nil
		}
	}
}

// appendZstd maps level 0 to Kafka's default, and Kafka's range to the four
// levels that the encoder has.
func (c *Codecs) appendZstd(dst, src []byte, level int) ([]byte, error) {
	if level == 0 {
		level = zstdDefaultLevel
	}
	l := zstd.EncoderLevelFromZstd(level)
	w := c.zstd[l]
	if w == nil {
		var err error
		if w, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
			zstd.WithEncoderLevel(l), zstd.WithWindowSize(zstdWriteWindow), zstd.WithLowerEncoderMem(true)); err != nil {
			return nil, err
		}
		if c.zstd == nil {
			c.zstd = make(map[zstd.EncoderLevel]*zstd.Encoder)
		}
		c.zstd[l] = w
	}
	return w.EncodeAll(src, dst), nil
}
