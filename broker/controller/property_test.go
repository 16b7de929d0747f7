package controller

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// world drives a machine at random and keeps the committed image beside it.
type world struct {
	t         *rapid.T
	m         *Machine
	now       Times
	committed *metaimage.Image
	epoch     int32
	inc       byte
}

func (w *world) take(records []metarecord.Record) {
	if len(records) == 0 {
		return
	}
	next, _, err := w.committed.Apply(records, w.committed.Offset()+1, w.epoch)
	if err != nil {
		w.t.Fatal(err)
	}
	w.checkStep(w.committed, next, records)
	w.committed = next
}

func (w *world) handle(req kmsg.Request) kmsg.Response {
	d := w.m.Handle(w.now, req)
	w.take(d.Records)
	if d.Reply == nil || d.Reply.Key() != req.Key() {
		w.t.Fatalf("reply %T to %T", d.Reply, req)
	}
	if d.After != w.committed.Offset() {
		w.t.Fatalf("after %d, log ends at %d", d.After, w.committed.Offset())
	}
	return d.Reply
}

// checkStep holds every transition to the contract.
func (w *world) checkStep(old, next *metaimage.Image, records []metarecord.Record) {
	registered := map[int32]bool{}
	for _, r := range records {
		if r, ok := r.(*metarecord.RegisterBroker); ok {
			registered[r.BrokerID] = true
			if got := next.Broker(r.BrokerID); got.BrokerEpoch > next.Offset() || got.BrokerEpoch <= old.Offset() {
				w.t.Fatalf("broker epoch %d between %d and %d", got.BrokerEpoch, old.Offset(), next.Offset())
			}
		}
	}
	for name, topic := range next.Topics() {
		w.checkMinInsync(old, next, topic)
		for id, p := range topic.Partitions() {
			at := fmt.Sprintf("%s-%d", name, id)
			w.checkPartition(next, at, p)
			before := old.Partition(kafka.TopicPartition{Topic: topic.ID, Partition: id})
			if before == nil || before == p {
				continue
			}
			if p.PartitionEpoch <= before.PartitionEpoch || p.LeaderEpoch < before.LeaderEpoch {
				w.t.Fatalf("%s: epochs %d/%d after %d/%d", at, p.LeaderEpoch, p.PartitionEpoch, before.LeaderEpoch, before.PartitionEpoch)
			}
			if p.Leader != before.Leader && p.LeaderEpoch == before.LeaderEpoch {
				w.t.Fatalf("%s: leader %d after %d in one epoch", at, p.Leader, before.Leader)
			}
			if registered[before.Leader] && p.LeaderEpoch == before.LeaderEpoch { // L1
				w.t.Fatalf("%s: %d registered and kept its lead", at, before.Leader)
			}
			via := w.beforeLast(old, records, topic.ID, before)
			w.checkDropped(next, at, via, p)
			elected := p.Leader != metaimage.NoLeader && p.LeaderEpoch > before.LeaderEpoch
			if elected && p.Recovery == metaimage.Recovered && !via.InISR(p.Leader) && !via.InELR(p.Leader) {
				w.t.Fatalf("%s: %d elected cleanly from outside ISR %v and ELR %v", at, p.Leader, via.ISR, via.ELR)
			}
			if elected {
				if _, marked := p.DoubtOf(p.Leader); marked {
					w.t.Fatalf("%s: the elected %d keeps its mark", at, p.Leader)
				}
			}
		}
	}
}

// beforeLast is a partition before the last change of it in a batch, which may
// be the end of a reassignment that a change before it made possible.
func (w *world) beforeLast(old *metaimage.Image, records []metarecord.Record, topic kafka.UUID, p *metaimage.Partition) *metaimage.Partition {
	for i, r := range slices.Backward(records) {
		if c, ok := r.(*metarecord.PartitionChange); ok && kafka.UUID(c.TopicID) == topic && c.PartitionID == p.ID {
			img, _, err := old.Apply(records[:i], old.Offset()+1, w.epoch)
			if err != nil {
				w.t.Fatal(err)
			}
			return img.Partition(kafka.TopicPartition{Topic: topic, Partition: p.ID})
		}
	}
	return p
}

// checkDropped holds a reassignment to C3: when replicas go, all new ones are in
// sync, and as many as min.insync.replicas asks for.
func (w *world) checkDropped(img *metaimage.Image, at string, before, p *metaimage.Partition) {
	if len(minus(before.Replicas, p.Replicas)) == 0 {
		return
	}
	fresh := append(minus(p.Replicas, before.Replicas), common(before.Adding, p.Replicas)...)
	minInsync := w.m.newTurnOn(img).policyOf(img.Topic(topicOf(img, p)), p).minInsync
	if p.Leader == metaimage.NoLeader || len(minus(fresh, p.ISR)) > 0 || len(p.ISR) < min(minInsync, len(p.Replicas)) || p.Reassigned() {
		w.t.Fatalf("%s: replicas %v (adding %v) after %v (adding %v, removing %v) with ISR %v, leader %d, min.insync.replicas %d", at, p.Replicas, p.Adding, before.Replicas, before.Adding, before.Removing, p.ISR, p.Leader, minInsync)
	}
	if len(common(before.ISR, p.ISR)) == 0 {
		w.t.Fatalf("%s: nobody of ISR %v is in ISR %v", at, before.ISR, p.ISR)
	}
}

func topicOf(img *metaimage.Image, p *metaimage.Partition) kafka.UUID {
	for _, topic := range img.Topics() {
		if topic.Partition(p.ID) == p {
			return topic.ID
		}
	}
	return kafka.UUID{}
}

// checkMinInsync holds a value that sinks to C3: it empties ELR, and no ISR is
// below it.
func (w *world) checkMinInsync(old, next *metaimage.Image, topic *metaimage.Topic) {
	was := old.Topic(topic.ID)
	if was == nil {
		return
	}
	before := table{}.TopicPolicy(topicSettings(old, topic.Name)).MinInsync
	after := table{}.TopicPolicy(topicSettings(next, topic.Name)).MinInsync
	for id, p := range topic.Partitions() {
		if after < before && (len(p.ISR) < after || len(p.ELR) > 0 && len(p.ISR) >= after) {
			w.t.Fatalf("%s-%d: min.insync.replicas %d after %d with ISR %v, ELR %v", topic.Name, id, after, before, p.ISR, p.ELR)
		}
		if v, ok := next.Config(metaimage.Resource{Type: metaimage.ResourceTopic, Name: topic.Name}, configMinInsync); ok && v.Derived && after > majority(p.Factor()) && old != next {
			w.t.Fatalf("%s-%d: min.insync.replicas %d was derived for %v, adding %v", topic.Name, id, after, p.Replicas, p.Adding)
		}
	}
}

func (w *world) checkPartition(m *metaimage.Image, at string, p *metaimage.Partition) {
	if p.Leader != metaimage.NoLeader && !p.InISR(p.Leader) {
		w.t.Fatalf("%s: leader %d, ISR %v", at, p.Leader, p.ISR)
	}
	if p.Leader != metaimage.NoLeader && !m.Broker(p.Leader).Available() {
		w.t.Fatalf("%s: leader %d is not available", at, p.Leader)
	}
	for _, list := range [][]int32{p.Adding, p.Removing} {
		for i, b := range list {
			if !p.HasReplica(b) || slices.Contains(list[:i], b) {
				w.t.Fatalf("%s: adding %v, removing %v of %v", at, p.Adding, p.Removing, p.Replicas)
			}
		}
	}
	if len(p.Directories) != len(p.Replicas) || len(minus(p.Replicas, p.Removing)) == 0 {
		w.t.Fatalf("%s: replicas %v, removing %v, directories %v", at, p.Replicas, p.Removing, p.Directories)
	}
	for i, b := range p.ISR {
		if !p.HasReplica(b) || slices.Contains(p.ISR[:i], b) || p.InELR(b) {
			w.t.Fatalf("%s: ISR %v, ELR %v of %v", at, p.ISR, p.ELR, p.Replicas)
		}
		if b := m.Broker(b); b == nil || b.Fenced {
			w.t.Fatalf("%s: ISR %v has a fenced member", at, p.ISR)
		}
	}
	for _, b := range p.ELR {
		if !p.HasReplica(b) {
			w.t.Fatalf("%s: ELR %v of %v", at, p.ELR, p.Replicas)
		}
	}
	for _, d := range p.Doubtful {
		if !p.InISR(d.BrokerID) && !p.InELR(d.BrokerID) {
			w.t.Fatalf("%s: mark of %d outside ISR and ELR", at, d.BrokerID)
		}
	}
}

func (w *world) step() {
	id := rapid.Int32Range(1, 3).Draw(w.t, "broker")
	b := w.m.Image().Broker(id)
	switch k := rapid.IntRange(0, 16).Draw(w.t, "step"); {
	case k == 0 || b == nil:
		w.register(id)
	case k < 4:
		req := kmsg.NewPtrBrokerHeartbeatRequest()
		req.Version, req.BrokerID, req.BrokerEpoch, req.CurrentMetadataOffset = 2, id, b.BrokerEpoch, w.committed.Offset()
		req.WantFence = rapid.IntRange(0, 9).Draw(w.t, "fence") == 0
		req.WantShutdown = rapid.IntRange(0, 9).Draw(w.t, "stop") == 0
		if rapid.IntRange(0, 9).Draw(w.t, "offline") == 0 && len(b.LogDirs) > 1 {
			req.OfflineLogDirs = [][16]byte{b.LogDirs[0]}
		}
		w.handle(req)
	case k < 6:
		w.now.Mono = w.now.Mono.Add(time.Duration(rapid.IntRange(1, 60).Draw(w.t, "ms")) * time.Millisecond)
		batches, next := w.m.Tick(w.now)
		for _, records := range batches {
			w.take(records)
		}
		if next <= 0 {
			w.t.Fatalf("next tick in %s", next)
		}
	case k == 6:
		req := kmsg.NewPtrCreateTopicsRequest()
		req.Version = 7
		x := kmsg.NewCreateTopicsRequestTopic()
		x.Topic, x.NumPartitions, x.ReplicationFactor = fmt.Sprint("t", rapid.IntRange(0, 2).Draw(w.t, "t")), rapid.Int32Range(1, 2).Draw(w.t, "n"), rapid.Int16Range(1, 3).Draw(w.t, "rf")
		for _, kv := range [][2]string{{"moldau.durability", rapid.SampledFrom([]string{"", "os"}).Draw(w.t, "os")}, {configMinInsync, rapid.SampledFrom([]string{"", "1", "3"}).Draw(w.t, "min")}, {configUnclean, rapid.SampledFrom([]string{"", "true"}).Draw(w.t, "unclean")}} {
			if kv[1] != "" {
				c := kmsg.NewCreateTopicsRequestTopicConfig()
				c.Name, c.Value = kv[0], &kv[1]
				x.Configs = append(x.Configs, c)
			}
		}
		req.Topics = append(req.Topics, x)
		w.handle(req)
	case k < 11:
		w.alterPartition()
	case k == 11:
		req := kmsg.NewPtrElectLeadersRequest()
		req.Version, req.ElectionType = 2, int8(rapid.IntRange(0, 1).Draw(w.t, "type"))
		w.handle(req)
	case k == 12:
		w.alterMinInsync()
	case k > 13:
		w.reassign()
	default:
		if rapid.IntRange(0, 4).Draw(w.t, "unregister") == 0 {
			req := kmsg.NewPtrUnregisterBrokerRequest()
			req.BrokerID = id
			w.handle(req)
			return
		}
		w.m.Resign()
		w.epoch++
		w.take(w.m.Activate(w.committed, w.committed.Offset()+1, w.epoch, w.now))
	}
}

func (w *world) register(id int32) {
	w.inc++
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.Version, req.BrokerID, req.ClusterID, req.IncarnationID = 4, id, "c", kafka.UUID{w.inc, 1}
	dir := byte(rapid.IntRange(0, 6).Draw(w.t, "dir") / 6) // mostly the same
	req.LogDirs = [][16]byte{{byte(id), dir, 15: 255}}
	if rapid.Bool().Draw(w.t, "two") {
		req.LogDirs = append(req.LogDirs, [16]byte{byte(id), 9, 15: 255})
	}
	l := kmsg.NewBrokerRegistrationRequestListener()
	req.Listeners = append(req.Listeners, l)
	f := kmsg.NewBrokerRegistrationRequestFeature()
	f.Name, f.MinSupportedVersion, f.MaxSupportedVersion = metaimage.FeatureMetadataVersion, 30, 30
	req.Features = append(req.Features, f)
	var proof metarecord.Proof
	for _, topic := range w.m.Image().Topics() {
		for p := range topic.Partitions() {
			tp := kafka.TopicPartition{Topic: topic.ID, Partition: p}
			end := metarecord.End(tp, rapid.Int32Range(0, 2).Draw(w.t, "epoch"), rapid.Int64Range(0, 3).Draw(w.t, "end"))
			switch rapid.IntRange(0, 4).Draw(w.t, "verdict") {
			case 0:
				proof.Damaged = append(proof.Damaged, end)
			case 1:
				proof.Doubtful = append(proof.Doubtful, end)
			case 2:
				proof.Ends = append(proof.Ends, end)
			}
		}
	}
	proof.SetOn(req)
	w.handle(req)
}

// alterPartition sends what a leader may send, sometimes with wrong epochs.
func (w *world) alterPartition() {
	var topics []*metaimage.Topic
	for _, topic := range w.m.Image().Topics() {
		topics = append(topics, topic)
	}
	if len(topics) == 0 {
		return
	}
	topic := rapid.SampledFrom(topics).Draw(w.t, "topic")
	p := topic.Partition(rapid.Int32Range(0, int32(topic.NumPartitions())-1).Draw(w.t, "p"))
	leader := w.m.Image().Broker(p.Leader)
	if leader == nil {
		return
	}
	req := kmsg.NewPtrAlterPartitionRequest()
	req.Version, req.BrokerID, req.BrokerEpoch = 3, p.Leader, leader.BrokerEpoch
	x := kmsg.NewAlterPartitionRequestTopic()
	x.TopicID = topic.ID
	ap := kmsg.NewAlterPartitionRequestTopicPartition()
	ap.Partition, ap.LeaderEpoch = p.ID, p.LeaderEpoch
	ap.PartitionEpoch = p.PartitionEpoch - rapid.Int32Range(0, 1).Draw(w.t, "late")
	for _, b := range p.Replicas {
		if b != p.Leader && rapid.Bool().Draw(w.t, "out") {
			continue
		}
		m := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
		m.BrokerID = b
		if broker := w.m.Image().Broker(b); broker != nil {
			m.BrokerEpoch = broker.BrokerEpoch
		}
		if rapid.Bool().Draw(w.t, "undoubt") {
			metarecord.SetUndoubt(&m)
		}
		ap.NewEpochISR = append(ap.NewEpochISR, m)
	}
	x.Partitions = append(x.Partitions, ap)
	req.Topics = append(req.Topics, x)
	w.handle(req)
}

// reassign asks for other replicas, or for what was before.
func (w *world) reassign() {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.Version, req.AllowReplicationFactorChange = 1, rapid.IntRange(0, 4).Draw(w.t, "factor") > 0
	x := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	x.Topic = fmt.Sprint("t", rapid.IntRange(0, 2).Draw(w.t, "t"))
	for id := range rapid.Int32Range(1, 2).Draw(w.t, "n") {
		rp := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		rp.Partition = id
		if rapid.IntRange(0, 4).Draw(w.t, "cancel") > 0 {
			rp.Replicas = rapid.Permutation([]int32{1, 2, 3}).Draw(w.t, "replicas")[:rapid.IntRange(1, 3).Draw(w.t, "rf")]
		}
		x.Partitions = append(x.Partitions, rp)
	}
	req.Topics = append(req.Topics, x)
	w.handle(req)
	w.handle(&kmsg.ListPartitionReassignmentsRequest{})
}

// alterMinInsync checks C3's rule on the way: a lower value empties ELR.
func (w *world) alterMinInsync() {
	topic := w.m.Image().TopicByName("t0")
	if topic == nil {
		return
	}
	before := w.m.newTurn().policyOf(topic, topic.Partition(0)).minInsync
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = 1
	x := kmsg.NewIncrementalAlterConfigsRequestResource()
	x.ResourceType, x.ResourceName = kmsg.ConfigResourceTypeTopic, "t0"
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name = configMinInsync
	value := rapid.SampledFrom([]string{"1", "2", "3", ""}).Draw(w.t, "value")
	c.Value = &value
	if value == "" {
		c.Op, c.Value = kmsg.IncrementalAlterConfigOpDelete, nil
	}
	x.Configs = append(x.Configs, c)
	req.Resources = append(req.Resources, x)
	w.handle(req)
	topic = w.m.Image().TopicByName("t0")
	after := w.m.newTurn().policyOf(topic, topic.Partition(0)).minInsync
	for id, p := range topic.Partitions() {
		if after < before && (len(p.ELR) > 0 || len(p.ISR) < after) {
			w.t.Fatalf("t0-%d: min.insync.replicas %d after %d with ISR %v, ELR %v", id, after, before, p.ISR, p.ELR)
		}
	}
}

func TestMachineAtRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{t: t, m: New(testConfig()), committed: metaimage.New("c"), epoch: 1}
		w.take(w.m.Activate(w.committed, 0, 1, w.now))
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			w.step()
			if w.m.Image().Offset() != w.committed.Offset() {
				t.Fatalf("speculative image at %d, log at %d", w.m.Image().Offset(), w.committed.Offset())
			}
		}
		if imageText(w.m.Image()) != imageText(w.committed) {
			t.Fatal("the speculative image is not what the records replay to")
		}
	})
}
