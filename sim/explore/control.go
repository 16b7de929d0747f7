package explore

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/controller"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/guard"
	"github.com/moldau/moldau/internal/invariant"
)

// control is the committed metadata. The controller's machine is made of it at
// every step, so that each step is also the first of a new office.
type control struct {
	img  *metaimage.Image
	part *metaimage.Partition
	key  []byte
}

const (
	clusterID = "explored"
	topicName = "t"
)

var topicID = kafka.UUID{7, 15: 200}

var partitionID = kafka.TopicPartition{Topic: topicID}

// idOf is the broker's id: A is 1.
func idOf(i int) int32 { return int32(i) + 1 }

// incarnation is the broker epoch of the n-th registration of a broker.
func incarnation(i, n int) int64 { return int64(10*n) + int64(idOf(i)) }

// dirOf is the id of a broker's log directory in one of its lives.
func dirOf(i int, life uint8) kafka.UUID { return kafka.UUID{byte(idOf(i)), life, 15: 201} }

// controllerTimes are late enough for every session of an earlier office to be
// over: a registration is never refused for a live predecessor.
var controllerTimes = controller.Times{Mono: clock.Mono(time.Hour), Wall: 1}

// zero is entropy that nothing here draws from.
type zero struct{}

func (zero) Read(p []byte) { clear(p) }

// first is the metadata that a world begins with.
func (w *World) first() *control {
	records := []metarecord.Record{
		&metarecord.FeatureLevel{Name: metaimage.FeatureMetadataVersion, FeatureLevel: 30},
		&metarecord.FeatureLevel{Name: metaimage.FeatureELR, FeatureLevel: 1},
	}
	p := &metarecord.Partition{TopicID: topicID, ISR: idsOf(w.ISR), Leader: idOf(0), LeaderEpoch: 1, PartitionEpoch: 1}
	for _, i := range w.Order {
		p.Replicas, p.Directories = append(p.Replicas, idOf(i)), append(p.Directories, dirOf(i, 0))
	}
	for i := range Brokers {
		r := metarecord.NewRegisterBroker()
		r.BrokerID, r.IncarnationID, r.BrokerEpoch, r.Fenced = idOf(i), kafka.UUID{byte(idOf(i)), 1, 15: 202}, incarnation(i, 1), false
		r.LogDirs = []kafka.UUID{dirOf(i, 0)}
		r.EndPoints = []metarecord.BrokerEndpoint{{Name: "B"}}
		r.Features = []metarecord.BrokerFeature{{Name: metaimage.FeatureMetadataVersion, MinSupportedVersion: 30, MaxSupportedVersion: 30}}
		records = append(records, r)
	}
	records = append(records, &metarecord.Topic{Name: topicName, TopicID: topicID}, p)
	set := func(name, value string) {
		records = append(records, &metarecord.Config{ResourceType: int8(metaimage.ResourceTopic), ResourceName: topicName, Name: name, Value: &value})
	}
	set("min.insync.replicas", strconv.Itoa(w.MinISR))
	if w.Unclean {
		set("unclean.leader.election.enable", "true")
	}
	return controlOf(records)
}

func idsOf(members []int) (ids []int32) {
	for _, i := range members {
		ids = append(ids, idOf(i))
	}
	return ids
}

// controlOf makes the metadata that records add up to.
func controlOf(records []metarecord.Record) *control {
	img, _, err := metaimage.New(clusterID).Apply(records, 0, 0)
	invariant.Check(err == nil, "metadata of a world: %v", err)
	c := &control{img: img, part: img.Partition(partitionID)}
	for _, r := range records {
		c.key = metarecord.Encode(c.key, r, r.Type().MaxVersion())
	}
	return c
}

// machine is a controller that has just begun its office.
func (w *World) machine(c *control) *controller.Machine {
	m := controller.New(controller.Config{
		NodeID: 99, ClusterID: clusterID, Configs: settings{w}, Entropy: zero{},
		SessionTimeout: time.Second, HeartbeatInterval: time.Second, DisconnectGrace: time.Second,
		DefaultPartitions: 1, Bootstrap: controller.BootstrapFeatures(), Supported: controller.SupportedFeatures(), Out: w.Out,
	})
	m.Activate(c.img, c.img.Offset()+1, 0, controller.Times{})
	return m
}

// decide gives the controller a request. It returns the metadata after it,
// with broker epochs renamed, and the reply.
func (w *World) decide(c *control, req kmsg.Request) (*control, kmsg.Response) {
	m := w.machine(c)
	d := m.Handle(controllerTimes, req)
	if len(d.Records) == 0 {
		return c, d.Reply
	}
	return w.renamed(c, m.Image()), d.Reply
}

// renamed is img, which followed c, with the epoch of a new registration
// counted and the offset forgotten.
func (w *World) renamed(c *control, img *metaimage.Image) *control {
	var records []metarecord.Record
	for r := range img.Records() {
		switch r := r.(type) {
		case *metarecord.RegisterBroker:
			old := c.img.Broker(r.BrokerID)
			if r.BrokerEpoch != old.BrokerEpoch {
				x := *r
				x.BrokerEpoch = old.BrokerEpoch + 10
				records = append(records, &x)
				continue
			}
			records = append(records, r)
		case *metarecord.Partition:
			if w.Out.Out(guard.C2Bump) && r.Leader != metaimage.NoLeader {
				x := *r
				x.LeaderEpoch = max(1, c.part.LeaderEpoch)
				records = append(records, &x)
				continue
			}
			records = append(records, r)
		default:
			records = append(records, r)
		}
	}
	return controlOf(records)
}

func (c *control) broker(i int) *metaimage.Broker { return c.img.Broker(idOf(i)) }

// heartbeat moves a broker between fenced and not.
func (w *World) heartbeat(c *control, i int, fence bool) *control {
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.Version, req.BrokerID, req.BrokerEpoch, req.CurrentMetadataOffset = 2, idOf(i), c.broker(i).BrokerEpoch, math.MaxInt64
	req.WantFence = fence
	next, _ := w.decide(c, req)
	return next
}

// register admits a new incarnation of a broker with what its recovery found.
func (w *World) register(c *control, i int, k *disk, proof metarecord.Proof) *control {
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.Version, req.BrokerID, req.ClusterID = 4, idOf(i), clusterID
	old := c.broker(i)
	req.IncarnationID = kafka.UUID{byte(idOf(i)), byte(old.BrokerEpoch/10) + 1, 15: 202}
	req.LogDirs = [][16]byte{dirOf(i, k.dir)}
	l := kmsg.NewBrokerRegistrationRequestListener()
	l.Name = "B"
	req.Listeners = append(req.Listeners, l)
	f := kmsg.NewBrokerRegistrationRequestFeature()
	f.Name, f.MinSupportedVersion, f.MaxSupportedVersion = metaimage.FeatureMetadataVersion, 30, 30
	req.Features = append(req.Features, f)
	proof.SetOn(req)
	next, reply := w.decide(c, req)
	code := kafka.ErrorCode(reply.(*kmsg.BrokerRegistrationResponse).ErrorCode)
	invariant.Check(code == kafka.ErrNone, "registration of %s: %s", name(i), code.Name())
	return next
}

// alter carries a proposal to the controller.
func (w *World) alter(c *control, from int, epoch int64, p *replica.Proposal) (*control, replica.ProposalResult) {
	req := kmsg.NewPtrAlterPartitionRequest()
	req.Version, req.BrokerID, req.BrokerEpoch = 3, idOf(from), epoch
	t := kmsg.NewAlterPartitionRequestTopic()
	t.TopicID = topicID
	ap := kmsg.NewAlterPartitionRequestTopicPartition()
	ap.LeaderEpoch, ap.PartitionEpoch, ap.LeaderRecoveryState = p.LeaderEpoch, p.PartitionEpoch, metaimage.Recovering
	if p.Recovered {
		ap.LeaderRecoveryState = metaimage.Recovered
	}
	for _, m := range p.ISR {
		member := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
		member.BrokerID, member.BrokerEpoch = m.Broker, m.Epoch
		if slices.Contains(p.Whole, m.Broker) {
			metarecord.SetUndoubt(&member)
		}
		ap.NewEpochISR = append(ap.NewEpochISR, member)
	}
	t.Partitions = append(t.Partitions, ap)
	req.Topics = append(req.Topics, t)
	next, reply := w.decide(c, req)
	r := reply.(*kmsg.AlterPartitionResponse)
	result := replica.ProposalResult{Attempt: p.Attempt, Code: kafka.ErrorCode(r.ErrorCode)}
	if result.Code == kafka.ErrNone {
		answer := &r.Topics[0].Partitions[0]
		result.Code, result.PartitionEpoch = kafka.ErrorCode(answer.ErrorCode), answer.PartitionEpoch
	}
	return next, result
}

// elect is the operator's election, unclean or of the preferred replica.
func (w *World) elect(c *control, unclean bool) *control {
	req := kmsg.NewPtrElectLeadersRequest()
	req.Version = 2
	if unclean {
		req.ElectionType = 1
	}
	req.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: topicName, Partitions: []int32{0}}}
	next, _ := w.decide(c, req)
	return next
}

// setMinISR changes min.insync.replicas.
func (w *World) setMinISR(c *control, n int) *control {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = 1
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topicName
	value := strconv.Itoa(n)
	r.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "min.insync.replicas", Value: &value}}
	req.Resources = append(req.Resources, r)
	next, _ := w.decide(c, req)
	return next
}

// minISR is min.insync.replicas as the image has it.
func (c *control) minISR() int {
	v, _ := c.img.Config(metaimage.Resource{Type: metaimage.ResourceTopic, Name: topicName}, "min.insync.replicas")
	n, err := strconv.Atoi(v.Value)
	invariant.Check(err == nil, "min.insync.replicas %q", v.Value)
	return n
}

// role is what the image says to a broker that was registered under epoch.
func (c *control) role(epoch int64) replica.Role {
	p := c.part
	r := replica.Role{
		Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch, ISR: p.ISR, ELR: p.ELR, Replicas: p.Replicas,
		Recovering: p.Recovery == metaimage.Recovering, BrokerEpoch: epoch, MinISR: c.minISR(),
	}
	for _, id := range p.Replicas {
		b := c.img.Broker(id)
		r.BrokerEpochs, r.Addable = append(r.BrokerEpochs, b.BrokerEpoch), append(r.Addable, b.Available())
	}
	for _, d := range p.Doubtful {
		r.Doubted = append(r.Doubted, d.BrokerID)
	}
	return r
}
