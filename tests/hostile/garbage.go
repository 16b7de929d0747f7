package hostile

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// GarbageFrame is a frame with something wrong in it.
func GarbageFrame(rng *rand.Rand) []byte {
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	head := func(key, version int16) []byte {
		b := binary.BigEndian.AppendUint16(nil, uint16(key))
		b = binary.BigEndian.AppendUint16(b, uint16(version))
		b = binary.BigEndian.AppendUint32(b, rng.Uint32())
		return binary.BigEndian.AppendUint16(b, 0xffff)
	}
	framed := func(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }
	key := int16(rng.IntN(95))
	switch rng.IntN(7) {
	case 0: // a wrong length
		return binary.BigEndian.AppendUint32(nil, rng.Uint32()|0x70000000)
	case 1: // shorter than a header
		return framed(noise(rng.IntN(10)))
	case 2: // an unknown key or version
		return framed(append(head(int16(rng.Uint32()), int16(rng.Uint32())), noise(rng.IntN(64))...))
	case 3: // noise as the body of a known key
		return framed(append(head(key, int16(rng.IntN(14))), noise(rng.IntN(2048))...))
	case 4: // a giant count, in old and in compact form
		b := head(key, int16(rng.IntN(14)))
		b = append(b, 0, 0xff, 0xff, 0xff, 0xff, 0x07)
		b = append(b, 0x7f, 0xff, 0xff, 0xff)
		return framed(append(b, noise(256)...))
	case 5: // a whole request, one byte of it changed
		b := framed(mutated(rng, key))
		b[4+rng.IntN(len(b)-4)] ^= byte(1 << rng.IntN(8))
		return b
	default: // noise without any frame
		return noise(rng.IntN(4096))
	}
}

// mutated is a request of the key with default fields and one giant array.
func mutated(rng *rand.Rand, key int16) []byte {
	req := kmsg.RequestForKey(key)
	if req == nil {
		req = kmsg.NewPtrMetadataRequest()
	}
	req.SetVersion(int16(rng.IntN(int(req.MaxVersion()) + 1)))
	return kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)[4:]
}
