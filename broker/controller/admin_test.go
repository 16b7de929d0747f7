package controller

import (
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metarecord"
)

// admin runs the commands that are one request each.
func (s *scenario) admin(t *testing.T, a args) {
	switch a.d.Cmd {
	case "create":
		req := kmsg.NewPtrCreateTopicsRequest()
		req.ValidateOnly = a.has("validate")
		for _, name := range strings.Split(a.str("name", ""), ",") {
			req.Topics = append(req.Topics, s.newTopic(a, name))
		}
		s.handle(t, req, int16(a.num("version", 7)))
	case "delete":
		req := kmsg.NewPtrDeleteTopicsRequest()
		for _, name := range a.list("name") {
			x := kmsg.NewDeleteTopicsRequestTopic()
			x.Topic = &name
			req.Topics = append(req.Topics, x)
			req.TopicNames = append(req.TopicNames, name)
		}
		for _, name := range a.list("id") {
			x := kmsg.NewDeleteTopicsRequestTopic()
			x.TopicID = s.partition(name + "-0").Topic
			if name == "unknown" {
				x.TopicID = s.id("unknown")
			}
			req.Topics = append(req.Topics, x)
		}
		s.handle(t, req, int16(a.num("version", 6)))
	case "grow":
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.ValidateOnly = a.has("validate")
		x := kmsg.NewCreatePartitionsRequestTopic()
		x.Topic, x.Count = a.str("name", ""), int32(a.num("count", 0))
		for _, set := range assignments(a) {
			as := kmsg.NewCreatePartitionsRequestTopicAssignment()
			as.Replicas = set
			x.Assignment = append(x.Assignment, as)
		}
		req.Topics = append(req.Topics, x)
		s.handle(t, req, 3)
	case "alter": // alter topic=t set=(k=v) delete=(k) append=(k=v)
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		req.ValidateOnly = a.has("validate")
		x := kmsg.NewIncrementalAlterConfigsRequestResource()
		x.ResourceType, x.ResourceName = resourceArg(a)
		for op, key := range []string{"set", "delete", "append", "subtract"} {
			for _, kv := range a.list(key) {
				c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
				c.Op = kmsg.IncrementalAlterConfigOp(op)
				name, value, _ := strings.Cut(kv, ":")
				c.Name = name
				if key != "delete" {
					c.Value = &value
				}
				x.Configs = append(x.Configs, c)
			}
		}
		req.Resources = append(req.Resources, x)
		s.handle(t, req, 1)
	case "replace":
		req := kmsg.NewPtrAlterConfigsRequest()
		x := kmsg.NewAlterConfigsRequestResource()
		x.ResourceType, x.ResourceName = resourceArg(a)
		for _, kv := range a.list("set") {
			c := kmsg.NewAlterConfigsRequestResourceConfig()
			name, value, _ := strings.Cut(kv, ":")
			c.Name, c.Value = name, &value
			x.Configs = append(x.Configs, c)
		}
		req.Resources = append(req.Resources, x)
		s.handle(t, req, 2)
	case "elect":
		req := kmsg.NewPtrElectLeadersRequest()
		if a.has("unclean") {
			req.ElectionType = 1
		}
		for _, f := range a.list("partitions") {
			i := strings.LastIndexByte(f, '-')
			n, _ := strconv.Atoi(f[i+1:])
			x := kmsg.NewElectLeadersRequestTopic()
			x.Topic, x.Partitions = f[:i], []int32{int32(n)}
			req.Topics = append(req.Topics, x)
		}
		s.handle(t, req, 2)
	case "isr":
		s.alterISR(t, a)
	case "pids":
		req := kmsg.NewPtrAllocateProducerIDsRequest()
		req.BrokerID = int32(a.num("id", 0))
		if b := s.m.Image().Broker(req.BrokerID); b != nil {
			req.BrokerEpoch = b.BrokerEpoch
		}
		req.BrokerEpoch = int64(a.num("epoch", int(req.BrokerEpoch)))
		s.handle(t, req, 0)
	case "unregister":
		req := kmsg.NewPtrUnregisterBrokerRequest()
		req.BrokerID = int32(a.num("id", 0))
		s.handle(t, req, 0)
	case "controller":
		req := kmsg.NewPtrControllerRegistrationRequest()
		req.ControllerID, req.IncarnationID = int32(a.num("id", 0)), s.id(a.str("inc", "i"))
		l := kmsg.NewControllerRegistrationRequestListener()
		l.Name, l.Host, l.Port = "CONTROLLER", "h", 9093
		req.Listeners = append(req.Listeners, l)
		s.handle(t, req, 0)
	case "feature":
		req := kmsg.NewPtrUpdateFeaturesRequest()
		req.ValidateOnly = a.has("validate")
		u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		u.Feature, u.MaxVersionLevel, u.UpgradeType = a.str("name", ""), int16(a.num("level", 0)), int8(a.num("type", 1))
		req.FeatureUpdates = append(req.FeatureUpdates, u)
		s.handle(t, req, int16(a.num("version", 2)))
	case "assign":
		req := kmsg.NewPtrAssignReplicasToDirsRequest()
		req.BrokerID = int32(a.num("id", 0))
		req.BrokerEpoch = s.m.Image().Broker(req.BrokerID).BrokerEpoch
		tp := s.partition(a.str("partition", ""))
		d := kmsg.NewAssignReplicasToDirsRequestDirectory()
		d.ID = s.id(a.str("dir", ""))
		x := kmsg.NewAssignReplicasToDirsRequestDirectoryTopic()
		x.TopicID = tp.Topic
		p := kmsg.NewAssignReplicasToDirsRequestDirectoryTopicPartition()
		p.Partition = tp.Partition
		x.Partitions = append(x.Partitions, p)
		d.Topics = append(d.Topics, x)
		req.Directories = append(req.Directories, d)
		s.handle(t, req, 0)
	case "reassign":
		s.reassign(t, a)
	case "reassignments":
		s.handle(t, kmsg.NewPtrListPartitionReassignmentsRequest(), 0)
	case "metadata":
		s.handle(t, kmsg.NewPtrMetadataRequest(), 9)
	default:
		t.Fatalf("unknown command %s", a.d.Cmd)
	}
}

// reassign reads partition=t-0 to=(1,2), without to for a cancellation; samefactor.
func (s *scenario) reassign(t testing.TB, a args) {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.AllowReplicationFactorChange = !a.has("samefactor")
	for _, name := range a.list("partition") {
		topic, id, _ := strings.Cut(name, "-")
		n, _ := strconv.Atoi(id)
		x := kmsg.NewAlterPartitionAssignmentsRequestTopic()
		x.Topic = topic
		p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		p.Partition = int32(n)
		if a.has("to") {
			p.Replicas = a.ints("to")
		}
		x.Partitions = append(x.Partitions, p)
		req.Topics = append(req.Topics, x)
	}
	s.handle(t, req, 1)
}

func resourceArg(a args) (kmsg.ConfigResourceType, string) {
	if a.has("topic") {
		return kmsg.ConfigResourceTypeTopic, a.str("topic", "")
	}
	return kmsg.ConfigResourceTypeBroker, a.str("broker", "")
}

// assignments reads assign=(1/2, 2/3).
func assignments(a args) (all [][]int32) {
	for _, f := range a.list("assign") {
		var set []int32
		for _, b := range strings.Split(f, "/") {
			n, _ := strconv.Atoi(b)
			set = append(set, int32(n))
		}
		all = append(all, set)
	}
	return all
}

func (s *scenario) newTopic(a args, name string) kmsg.CreateTopicsRequestTopic {
	x := kmsg.NewCreateTopicsRequestTopic()
	x.Topic, x.NumPartitions, x.ReplicationFactor = name, int32(a.num("partitions", -1)), int16(a.num("rf", -1))
	for i, set := range assignments(a) {
		as := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		as.Partition, as.Replicas = int32(i), set
		x.ReplicaAssignment = append(x.ReplicaAssignment, as)
	}
	for _, kv := range a.list("config") {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		k, v, ok := strings.Cut(kv, ":")
		c.Name = k
		if ok {
			c.Value = &v
		}
		x.Configs = append(x.Configs, c)
	}
	return x
}

// alterISR: isr partition=t-0 by=1 new=(1,2) [undoubt=(2)] [epochs...]
func (s *scenario) alterISR(t *testing.T, a args) {
	tp := s.partition(a.str("partition", ""))
	p := s.m.Image().Partition(tp)
	req := kmsg.NewPtrAlterPartitionRequest()
	req.BrokerID = int32(a.num("by", 0))
	if b := s.m.Image().Broker(req.BrokerID); b != nil {
		req.BrokerEpoch = b.BrokerEpoch
	}
	req.BrokerEpoch = int64(a.num("brokerepoch", int(req.BrokerEpoch)))
	x := kmsg.NewAlterPartitionRequestTopic()
	x.TopicID = tp.Topic
	if a.has("unknownid") {
		x.TopicID = s.id("nosuch")
	}
	ap := kmsg.NewAlterPartitionRequestTopicPartition()
	ap.Partition, ap.NewISR = tp.Partition, a.ints("new")
	if p != nil {
		ap.LeaderEpoch, ap.PartitionEpoch, ap.LeaderRecoveryState = p.LeaderEpoch, p.PartitionEpoch, p.Recovery
	}
	ap.LeaderEpoch = int32(a.num("leaderepoch", int(ap.LeaderEpoch)))
	ap.PartitionEpoch = int32(a.num("partitionepoch", int(ap.PartitionEpoch)))
	ap.LeaderRecoveryState = int8(a.num("recovery", int(ap.LeaderRecoveryState)))
	undoubt := map[string]bool{}
	for _, f := range a.list("undoubt") {
		undoubt[f] = true
	}
	for _, id := range a.ints("new") {
		m := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
		m.BrokerID = id
		if b := s.m.Image().Broker(id); b != nil {
			m.BrokerEpoch = b.BrokerEpoch
		}
		if a.has("oldmember") {
			m.BrokerEpoch--
		}
		if undoubt[itoa(id)] {
			metarecord.SetUndoubt(&m)
		}
		ap.NewEpochISR = append(ap.NewEpochISR, m)
	}
	x.Partitions = append(x.Partitions, ap)
	req.Topics = append(req.Topics, x)
	s.handle(t, req, int16(a.num("version", 3)))
	_ = kafka.ErrNone
}
