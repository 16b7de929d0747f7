package batch

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Bounds of a Codecs' memory, in bytes.
const (
	// DefaultMaxDecompressed bounds the decompressed records of one batch
	// where Limits say nothing.
	DefaultMaxDecompressed = 128 << 20
	// bufferKeepMax is the largest decompression buffer kept from batch to batch.
	bufferKeepMax = 4 << 20
	// bufferLenMin is the first size of that buffer.
	bufferLenMin = 64 << 10
)

// Limits bound what decompression may take.
type Limits struct {
	// MaxDecompressed bounds the decompressed records of one batch, in bytes;
	// 0 means DefaultMaxDecompressed. A batch beyond it is refused, of class
	// ErrTooLarge. Times the number of Codecs it bounds the memory of a process.
	MaxDecompressed int
}

// Codecs holds the compressors, decompressors and buffers that one goroutine
// uses at a time; they are made when first needed and kept. Callers keep one
// per goroutine that handles record bytes, or a bounded pool. It starts no
// goroutine of its own, and there is nothing to close.
type Codecs struct {
	maxDecompressed int
	buf             []byte // decompressed records of the batch at hand

	src     bytes.Reader
	gunzip  *gzip.Reader
	unzstd  *zstd.Decoder
	gzip    map[int]*gzip.Writer // by level
	zstd    map[zstd.EncoderLevel]*zstd.Encoder
	lz4Fast *lz4.Compressor
	lz4High *lz4.CompressorHC
	out     appendWriter
}

// NewCodecs makes one with the given limits.
func NewCodecs(limits Limits) *Codecs {
	if limits.MaxDecompressed <= 0 {
		limits.MaxDecompressed = DefaultMaxDecompressed
	}
	return &Codecs{maxDecompressed: limits.MaxDecompressed}
}

// Body is the decompressed records of the whole batch b with header h, for
// Records. Uncompressed records are a part of b itself; others lie in a buffer
// of c, valid until its next use. Errors: ErrTooLarge, ErrCodec, ErrCorrupt.
func (c *Codecs) Body(h Header, b []byte) ([]byte, error) {
	if len(b) < HeaderSize || len(b) < h.Size() {
		return nil, fmt.Errorf("%w: %d of %d bytes", ErrPartial, len(b), h.Size())
	}
	src := b[HeaderSize:h.Size()]
	if h.Codec() == CodecNone {
		return src, nil
	}
	return c.Decompress(h.Codec(), src)
}

// Decompress decompresses src into a buffer of c, valid until its next use.
func (c *Codecs) Decompress(codec Codec, src []byte) ([]byte, error) {
	c.Trim()
	if c.buf == nil {
		c.buf = make([]byte, 0, min(bufferLenMin, c.maxDecompressed))
	}
	var err error
	switch codec {
	case CodecNone:
		return src, nil
	case CodecGzip:
		err = c.decompressGzip(src)
	case CodecSnappy:
		err = c.decompressSnappy(src)
	case CodecLZ4:
		err = c.decompressLZ4(src)
	case CodecZstd:
		err = c.decompressZstd(src)
	default:
		return nil, fmt.Errorf("%w: %d", ErrCodec, int8(codec))
	}
	if err != nil {
		return nil, fmt.Errorf("decompress %d bytes of %s: %w", len(src), codec, err)
	}
	return c.buf, nil
}

// Trim gives up a buffer that a large batch left behind, and with it what Body
// or Decompress returned last. Who puts a Codecs aside calls it first;
// Validate does so itself.
func (c *Codecs) Trim() {
	if cap(c.buf) > bufferKeepMax {
		c.buf = nil
	}
}

// grow makes room for n more bytes in c.buf, doubling at least, up to the limit.
func (c *Codecs) grow(n int) error {
	need := len(c.buf) + n
	if need > c.maxDecompressed {
		return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, c.maxDecompressed)
	}
	if need <= cap(c.buf) {
		return nil
	}
	bigger := make([]byte, len(c.buf), min(max(need, 2*cap(c.buf)), c.maxDecompressed))
	copy(bigger, c.buf)
	c.buf = bigger
	return nil
}

// AppendCompressed appends src, compressed, to dst.
func (c *Codecs) AppendCompressed(dst, src []byte, with Compression) ([]byte, error) {
	switch with.Codec {
	case CodecNone:
		return append(dst, src...), nil
	case CodecGzip:
		return c.appendGzip(dst, src, with.Level)
	case CodecSnappy:
		return appendXerial(dst, src), nil
	case CodecLZ4:
		return c.appendLZ4(dst, src, with.Level)
	case CodecZstd:
		return c.appendZstd(dst, src, with.Level)
	}
	return nil, fmt.Errorf("%w: %d", ErrCodec, int8(with.Codec))
}

// appendWriter is an io.Writer onto a slice.
type appendWriter struct{ b []byte }

func (w *appendWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// readAllInto reads r to its end into c.buf, whose room follows what was read.
func (c *Codecs) readAllInto(r io.Reader) error {
	c.buf = c.buf[:0]
	for {
		if len(c.buf) == cap(c.buf) {
			if err := c.grow(1); err != nil {
				return c.endsHere(r, err)
			}
		}
		n, err := r.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return corrupt("%v", err)
		}
	}
}

// endsHere forgives tooLarge when r has not one byte more.
func (c *Codecs) endsHere(r io.Reader, tooLarge error) error {
	var one [1]byte
	switch n, err := io.ReadFull(r, one[:]); {
	case n > 0:
		return tooLarge
	case err == io.EOF:
		return nil
	default:
		return corrupt("%v", err)
	}
}
