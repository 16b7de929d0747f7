package controller

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// simple is a machine with one broker, driven without a scenario.
type simple struct {
	t         testing.TB
	m         *Machine
	committed *metaimage.Image
}

func newSimple(t testing.TB) *simple {
	s := &simple{t: t, m: New(testConfig()), committed: metaimage.New("c")}
	s.take(s.m.Activate(s.committed, 0, 1, Times{}))
	s.register(1)
	s.heartbeat()
	return s
}

func (s *simple) take(records []metarecord.Record) {
	if len(records) == 0 {
		return
	}
	var err error
	if s.committed, _, err = s.committed.Apply(records, s.committed.Offset()+1, 1); err != nil {
		s.t.Fatal(err)
	}
}

func (s *simple) handle(req kmsg.Request) (kmsg.Response, []metarecord.Record) {
	d := s.m.Handle(Times{}, req)
	s.take(d.Records)
	return d.Reply, d.Records
}

func (s *simple) register(inc byte) (int64, []metarecord.Record) {
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.Version, req.BrokerID, req.ClusterID, req.IncarnationID = 4, 1, "c", [16]byte{inc}
	req.LogDirs = [][16]byte{{9, 15: 255}}
	req.Listeners = []kmsg.BrokerRegistrationRequestListener{kmsg.NewBrokerRegistrationRequestListener()}
	f := kmsg.NewBrokerRegistrationRequestFeature()
	f.Name, f.MinSupportedVersion, f.MaxSupportedVersion = metaimage.FeatureMetadataVersion, 30, 30
	req.Features = append(req.Features, f)
	reply, records := s.handle(req)
	r := reply.(*kmsg.BrokerRegistrationResponse)
	if r.ErrorCode != 0 {
		s.t.Fatal(kafka.ErrorCode(r.ErrorCode))
	}
	return r.BrokerEpoch, records
}

func (s *simple) heartbeat() []metarecord.Record {
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.Version, req.BrokerID, req.BrokerEpoch = 2, 1, s.committed.Broker(1).BrokerEpoch
	req.CurrentMetadataOffset = s.committed.Offset()
	_, records := s.handle(req)
	return records
}

func (s *simple) create(name string, partitions int32) []metarecord.Record {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = 7
	x := kmsg.NewCreateTopicsRequestTopic()
	x.Topic, x.NumPartitions, x.ReplicationFactor = name, partitions, 1
	req.Topics = append(req.Topics, x)
	reply, records := s.handle(req)
	if code := reply.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode; code != 0 {
		s.t.Fatal(kafka.ErrorCode(code))
	}
	return records
}

// A change that is too large for a batch becomes a metadata transaction.
func TestLargeChange(t *testing.T) {
	s := newSimple(t)
	if _, ok := s.create("small", 10)[0].(*metarecord.Topic); !ok {
		t.Error("a small change is bracketed")
	}
	records := s.create("large", 10_000)
	if _, ok := records[0].(*metarecord.BeginTransaction); !ok || len(records) < 10_004 {
		t.Errorf("%d records from %s", len(records), records[0].Type())
	}
	if _, ok := records[len(records)-1].(*metarecord.EndTransaction); !ok {
		t.Error("no end of the transaction")
	}
	at := s.committed.Offset() + 1
	epoch, records := s.register(2)
	if _, ok := records[0].(*metarecord.BeginTransaction); !ok {
		t.Fatal("no transaction")
	}
	r, ok := records[epoch-at].(*metarecord.RegisterBroker)
	if !ok || r.BrokerEpoch != epoch || int(epoch-at) != len(records)-2 {
		t.Errorf("broker epoch %d names %s", epoch, records[epoch-at].Type())
	}
	if p := s.committed.TopicByName("large").Partition(77); p.Leader != -1 || !p.InELR(1) {
		t.Errorf("%+v", p)
	}
	s.heartbeat()
	if p := s.committed.TopicByName("large").Partition(77); p.Leader != 1 || p.LeaderEpoch != 2 {
		t.Errorf("%+v", p)
	}
}

// An office that finds a transaction open aborts it first.
func TestActivateAborts(t *testing.T) {
	s := newSimple(t)
	before := imageText(s.committed)
	half := []metarecord.Record{&metarecord.BeginTransaction{}, &metarecord.Topic{Name: "half", TopicID: kafka.UUID{1}}}
	img, _, err := s.committed.Apply(half, s.committed.Offset()+1, 1)
	if err != nil {
		t.Fatal(err)
	}
	s.committed = img
	s.m.Resign()
	s.take(s.m.Activate(img, img.Offset()+1, 2, Times{}))
	if s.committed.InTransaction() || imageText(s.committed) != before {
		t.Error("the transaction was not aborted")
	}
	s.create("next", 1)
	compareImages(t, s.m.Image(), s.committed)
}

func TestClone(t *testing.T) {
	s := newSimple(t)
	s.create("t", 1)
	c := s.m.Clone()
	if c.Fingerprint() != s.m.Fingerprint() {
		t.Error("a clone has another fingerprint")
	}
	before := c.Fingerprint()
	s.register(2)
	if s.m.Fingerprint() == before || c.Fingerprint() != before {
		t.Error("what is done to one shows in the other, or nowhere")
	}
	c.Disconnected(Times{}, 1, c.Image().Broker(1).BrokerEpoch)
	if c.Fingerprint() == before {
		t.Error("soft state does not count")
	}
}

// Every request that is handled gets a reply of its key and version without
// office too; others get none.
func TestNotController(t *testing.T) {
	n := 0
	for key := range int16(kmsg.MaxKey + 1) {
		req := kmsg.RequestForKey(key)
		if req == nil || !Handles(key) {
			continue
		}
		n++
		req.SetVersion(req.MaxVersion())
		reply := NotController(req)
		if reply.Key() != key || reply.GetVersion() != req.MaxVersion() {
			t.Errorf("key %d: %T version %d", key, reply, reply.GetVersion())
		}
		d := newSimple(t).m.Handle(Times{}, req) // an empty request must not crash
		if d.Reply == nil || d.Reply.GetVersion() != req.MaxVersion() {
			t.Errorf("key %d: %+v", key, d.Reply)
		}
	}
	if n != 17 {
		t.Errorf("%d keys", n)
	}
}

func TestPlacementSpreads(t *testing.T) {
	img := metaimage.New("c")
	var records []metarecord.Record
	for id := range int32(6) {
		r := metarecord.NewRegisterBroker()
		rack := fmt.Sprint("r", id%3)
		r.BrokerID, r.Rack, r.Fenced = id, &rack, false
		records = append(records, r)
	}
	img, _, err := img.Apply(records, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		p := newPlacer(img, &rng{seed})
		leads, holds := map[int32]int{}, map[int32]int{}
		for range 60 {
			racks := map[string]bool{}
			set := p.place(3)
			leads[set[0].BrokerID]++
			for _, b := range set {
				holds[b.BrokerID]++
				racks[*b.Rack] = true
			}
			if len(racks) != 3 {
				t.Fatalf("seed %d: racks %v", seed, racks)
			}
		}
		for id := range int32(6) {
			if leads[id] != 10 || holds[id] < 24 || holds[id] > 36 {
				t.Errorf("seed %d: broker %d leads %d, holds %d", seed, id, leads[id], holds[id])
			}
		}
	}
}
