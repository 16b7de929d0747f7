package controller

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/clock"
)

// at is a time on both clocks.
func at(d time.Duration) Times { return Times{Mono: clock.Mono(0).Add(d), Wall: d.Milliseconds()} }

// twoBrokers is an image of brokers 2 and 3, both in service.
func twoBrokers(t *testing.T) *metaimage.Image {
	t.Helper()
	img := metaimage.New("c")
	for id := int32(2); id <= 3; id++ {
		r := metarecord.NewRegisterBroker()
		r.BrokerID, r.BrokerEpoch, r.Fenced = id, int64(id), false
		r.IncarnationID[0] = byte(id)
		next, _, err := img.Apply([]metarecord.Record{&metarecord.FeatureLevel{Name: metaimage.FeatureMetadataVersion, FeatureLevel: 30}, r}, img.Offset()+1, 1)
		if err != nil {
			t.Fatal(err)
		}
		img = next
	}
	return img
}

// fenced are the brokers that a tick fences.
func fenced(decisions [][]metarecord.Record) (ids []int32) {
	for _, records := range decisions {
		for _, r := range records {
			if change, ok := r.(*metarecord.BrokerRegistrationChange); ok && change.Fenced == 1 {
				ids = append(ids, change.BrokerID)
			}
		}
	}
	return ids
}

// TestStandBy: a machine that stood by fences at once who fell silent with the
// office before; it knows nothing of who was silent if it was not told, or paused.
func TestStandBy(t *testing.T) {
	img := twoBrokers(t)
	beat := func(m *Machine, d time.Duration, id int32) {
		req := kmsg.NewPtrBrokerHeartbeatRequest()
		req.BrokerID, req.BrokerEpoch, req.CurrentMetadataOffset = id, int64(id), img.Offset()
		m.Heard(at(d), img, req)
	}
	for _, c := range []struct {
		what string
		run  func(m *Machine) // until 1 s, when the office comes
		want []int32          // fenced at the first tick
	}{
		{"both are heard", func(m *Machine) {
			for d := time.Duration(0); d <= time.Second; d += 50 * time.Millisecond {
				beat(m, d, 2)
				beat(m, d, 3)
				m.StandBy(at(d))
			}
		}, nil},
		{"one falls silent", func(m *Machine) {
			for d := time.Duration(0); d <= time.Second; d += 50 * time.Millisecond {
				if d <= 600*time.Millisecond {
					beat(m, d, 2)
				}
				beat(m, d, 3)
				m.StandBy(at(d))
			}
		}, []int32{2}},
		{"the connection of one breaks", func(m *Machine) {
			for d := time.Duration(0); d <= time.Second; d += 50 * time.Millisecond {
				if d <= 850*time.Millisecond {
					beat(m, d, 2)
				}
				beat(m, d, 3)
				m.StandBy(at(d))
			}
			m.Disconnected(at(890*time.Millisecond), 2, 2)
		}, []int32{2}},
		{"an older incarnation was heard", func(m *Machine) {
			for d := time.Duration(0); d <= time.Second; d += 50 * time.Millisecond {
				req := kmsg.NewPtrBrokerHeartbeatRequest()
				req.BrokerID, req.BrokerEpoch = 2, 1
				m.Heard(at(0), img, req)
				beat(m, d, 3)
				m.StandBy(at(d))
			}
		}, nil},
		{"nobody was ever heard", func(m *Machine) {
			for d := time.Duration(0); d <= time.Second; d += 50 * time.Millisecond {
				m.StandBy(at(d))
			}
		}, nil},
		{"it paused itself", func(m *Machine) {
			beat(m, 0, 2)
			beat(m, 0, 3)
			m.StandBy(at(0))
		}, nil},
		{"it paused itself and was told the time", func(m *Machine) {
			beat(m, 0, 2)
			beat(m, 0, 3)
			m.StandBy(at(0))
			m.StandBy(at(990 * time.Millisecond))
		}, nil},
	} {
		m := New(testConfig())
		c.run(m)
		m.Activate(img, img.Offset()+1, 2, at(time.Second))
		decisions, _ := m.Tick(at(time.Second + time.Millisecond))
		if got := fenced(decisions); len(got) != len(c.want) || len(got) == 1 && got[0] != c.want[0] {
			t.Errorf("%s: fenced %v, want %v", c.what, got, c.want)
		}
	}
}
