package kafka

import (
	"errors"
	"reflect"
	"testing"
)

func TestDurableReport(t *testing.T) {
	in := DurableReport{Broker: 3, BrokerEpoch: 1 << 40, Positions: []ReportedPosition{
		{ID: TopicPartition{UUID{1, 15: 2}, 7}, LeaderEpoch: 4, LEO: 1 << 33, LastEpoch: 3, Durable: 9, DurableEpoch: 2, LogStart: 5},
		{ID: TopicPartition{UUID{2}, 0}, LeaderEpoch: 0, LEO: 0, LastEpoch: -1, Durable: -1, DurableEpoch: -1, LogStart: -1},
	}}
	body := in.AppendTo(nil)
	var out DurableReport
	if err := out.ReadFrom(body); err != nil || !reflect.DeepEqual(in, out) {
		t.Fatalf("%v\n%+v\n%+v", err, in, out)
	}
	for n := range body {
		if err := out.ReadFrom(body[:n]); !errors.Is(err, ErrShort) {
			t.Fatalf("%d of %d bytes: %v", n, len(body), err)
		}
	}
	if err := out.ReadFrom(append(body, 0)); !errors.Is(err, ErrShort) {
		t.Fatalf("a byte more: %v", err)
	}
	body[12] = 0x7f // two billion positions
	if err := out.ReadFrom(body); !errors.Is(err, ErrShort) {
		t.Fatalf("a count that no bytes stand behind: %v", err)
	}
}

func FuzzDurableReport(f *testing.F) {
	f.Add((&DurableReport{Positions: make([]ReportedPosition, 2)}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, body []byte) {
		var d DurableReport
		if d.ReadFrom(body) == nil && len(d.AppendTo(nil)) != len(body) {
			t.Errorf("%x is read as %+v", body, d)
		}
	})
}

func TestDurableTag(t *testing.T) {
	value := AppendDurable(nil, 1<<40, 7)
	if durable, epoch := ReadDurable(value); durable != 1<<40 || epoch != 7 || len(value) != TagDurableBytes {
		t.Fatalf("%d %d %d", durable, epoch, len(value))
	}
	if durable, epoch := ReadDurable(value[1:]); durable != -1 || epoch != -1 {
		t.Fatalf("%d %d of a short value", durable, epoch)
	}
}
