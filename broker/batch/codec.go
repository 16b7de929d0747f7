package batch

import "fmt"

// Codec is a compression codec, with Kafka's numbers.
type Codec int8

// The codecs.
const (
	CodecNone   Codec = 0
	CodecGzip   Codec = 1
	CodecSnappy Codec = 2
	CodecLZ4    Codec = 3
	CodecZstd   Codec = 4
)

// codecNames are Kafka's names, by number.
var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

func (c Codec) String() string {
	if !c.Valid() {
		return fmt.Sprintf("codec(%d)", int8(c))
	}
	return codecNames[c]
}

// Valid reports whether c is one of the five codecs.
func (c Codec) Valid() bool { return c >= CodecNone && c <= CodecZstd }

// ParseCodec reads a codec's name; "uncompressed" means none, as in compression.type.
func ParseCodec(name string) (Codec, error) {
	if name == "uncompressed" {
		return CodecNone, nil
	}
	for i, n := range codecNames {
		if n == name {
			return Codec(i), nil
		}
	}
	return CodecNone, fmt.Errorf("%w: %q", ErrCodec, name)
}

// Compression is a codec and its level.
type Compression struct {
	Codec Codec
	// Level in Kafka's range for the codec: gzip 1 to 9 or -1, lz4 1 to 17,
	// zstd -131072 to 22; none and snappy have none. 0 means Kafka's default
	// (gzip -1, lz4 9, zstd 3).
	Level int
}

// Validate refuses an unknown codec and a level outside Kafka's range.
func (c Compression) Validate() error {
	low, high := 0, 0
	switch c.Codec {
	case CodecNone, CodecSnappy:
	case CodecGzip:
		low, high = -1, 9
	case CodecLZ4:
		low, high = 0, 17
	case CodecZstd:
		low, high = -131072, 22
	default:
		return fmt.Errorf("%w: %d", ErrCodec, int8(c.Codec))
	}
	if c.Level < low || c.Level > high {
		return fmt.Errorf("compression level %d of %s is outside %d to %d", c.Level, c.Codec, low, high)
	}
	return nil
}
