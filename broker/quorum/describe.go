package quorum

import (
	"sort"

	"github.com/hashicorp/raft"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/raftmeta"
)

type observerKey struct {
	node      int32
	directory kafka.UUID
}

// observer is what a replica's fetches told.
type observer struct {
	end      int64 // offset after its last record
	fetched  int64 // wall ms of its last fetch
	caughtUp int64 // wall ms when it last had all committed records, -1 never
}

// observe remembers a replica's fetch.
func (l *loop) observe(req *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) {
	node := req.ReplicaState.ID
	if req.Version < 15 {
		node = req.ReplicaID
	}
	if node < 0 {
		return
	}
	key := observerKey{node, p.ReplicaDirectoryID}
	old, known := l.observers[key]
	if !known {
		old.caughtUp = -1
		l.forgetObservers(node)
		if len(l.observers) >= observersMax {
			return
		}
	}
	o := observer{end: p.FetchOffset, fetched: l.cfg.Clock.Wall(), caughtUp: old.caughtUp}
	if o.end >= l.feed.next {
		o.caughtUp = o.fetched
	}
	l.observers[key] = o
}

// forgetObservers drops those that fetch no more: silent for long, or the same
// node with another directory, whose place a new one takes.
func (l *loop) forgetObservers(node int32) {
	oldest := l.cfg.Clock.Wall() - observerExpiry.Milliseconds()
	for key, o := range l.observers { //det:ok each is judged alone
		if o.fetched < oldest || key.node == node {
			delete(l.observers, key)
		}
	}
}

func describeQuorumError(req *kmsg.DescribeQuorumRequest, code kafka.ErrorCode) kmsg.Response {
	resp := kmsg.NewPtrDescribeQuorumResponse()
	resp.SetVersion(req.GetVersion())
	resp.ErrorCode = int16(code)
	return resp
}

// describeQuorum tells leader, voters and observers (KIP-595, KIP-836). Only
// the active controller knows; another names it.
func (l *loop) describeQuorum(req *kmsg.DescribeQuorumRequest) kmsg.Response {
	if len(req.Topics) != 1 || len(req.Topics[0].Partitions) != 1 {
		return describeQuorumError(req, kafka.ErrInvalidRequest)
	}
	resp := kmsg.NewPtrDescribeQuorumResponse()
	resp.SetVersion(req.GetVersion())
	rt := kmsg.NewDescribeQuorumResponseTopic()
	rt.Topic = req.Topics[0].Topic
	rp := kmsg.NewDescribeQuorumResponseTopicPartition()
	rp.Partition = req.Topics[0].Partitions[0].Partition
	rp.LeaderID, rp.LeaderEpoch = l.leader()
	switch {
	case rt.Topic != kafka.MetadataTopicName || rp.Partition != 0:
		rp.ErrorCode = int16(kafka.ErrUnknownTopicOrPartition)
	case l.office == nil:
		rp.ErrorCode = int16(kafka.ErrNotLeaderOrFollower)
	default:
		rp.HighWatermark = l.feed.next
		rp.CurrentVoters, rp.Observers = l.replicaStates()
		resp.Nodes = l.quorumNodes(rp.CurrentVoters)
	}
	rt.Partitions = append(rt.Partitions, rp)
	resp.Topics = append(resp.Topics, rt)
	return resp
}

type replicaState = kmsg.DescribeQuorumResponseTopicPartitionReplicaState

// replicaStates are the voters, in raft's order, and the observers, by node.
func (l *loop) replicaStates() (voters, observers []replicaState) {
	l.forgetObservers(-1)
	isVoter := map[observerKey]bool{}
	now := l.cfg.Clock.Wall()
	servers, _ := l.inst.Load().servers()
	for _, s := range servers {
		node, directory, err := raftmeta.ParseServerID(s.ID)
		if err != nil || s.Suffrage != raft.Voter {
			continue
		}
		isVoter[observerKey{node, directory}] = true
		state := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		state.ReplicaID, state.ReplicaDirectoryID = node, directory
		state.LogEndOffset, state.LastFetchTimestamp, state.LastCaughtUpTimestamp = -1, -1, -1
		if node == l.cfg.Machine.NodeID {
			state.LogEndOffset, state.LastFetchTimestamp, state.LastCaughtUpTimestamp = l.office.next, now, now
		} else if f, ok := l.progress.of(s.ID); ok {
			state.LogEndOffset, state.LastFetchTimestamp, state.LastCaughtUpTimestamp = l.feed.endAt(f.lastIndex), f.heard, f.caughtUp
		}
		voters = append(voters, state)
	}
	for key, o := range l.observers { //det:ok sorted below
		if isVoter[key] {
			continue
		}
		state := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		state.ReplicaID, state.ReplicaDirectoryID = key.node, key.directory
		state.LogEndOffset, state.LastFetchTimestamp, state.LastCaughtUpTimestamp = o.end, o.fetched, o.caughtUp
		observers = append(observers, state)
	}
	sort.Slice(observers, func(i, j int) bool {
		a, b := observers[i], observers[j]
		return a.ReplicaID < b.ReplicaID || a.ReplicaID == b.ReplicaID &&
			kafka.UUID(a.ReplicaDirectoryID).String() < kafka.UUID(b.ReplicaDirectoryID).String()
	})
	return voters, observers
}

// quorumNodes are the voters' endpoints, as they registered.
func (l *loop) quorumNodes(voters []replicaState) (nodes []kmsg.DescribeQuorumResponseNode) {
	img := l.cfg.Holder.Load()
	for _, v := range voters {
		c := img.Controller(v.ReplicaID)
		if c == nil {
			continue
		}
		n := kmsg.NewDescribeQuorumResponseNode()
		n.NodeID = v.ReplicaID
		for _, e := range c.EndPoints {
			nl := kmsg.NewDescribeQuorumResponseNodeListener()
			nl.Name, nl.Host, nl.Port = e.Name, e.Host, e.Port
			n.Listeners = append(n.Listeners, nl)
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// endpointControllers is DescribeCluster's endpoint type of controllers (KIP-919).
const endpointControllers = 2

func describeClusterError(req *kmsg.DescribeClusterRequest, code kafka.ErrorCode, message string) kmsg.Response {
	resp := kmsg.NewPtrDescribeClusterResponse()
	resp.SetVersion(req.GetVersion())
	resp.ErrorCode, resp.ErrorMessage, resp.EndpointType = int16(code), &message, endpointControllers
	return resp
}

// describeCluster names the controllers (KIP-700, KIP-919). Who asks for
// brokers has taken the wrong listener.
func (l *loop) describeCluster(req *kmsg.DescribeClusterRequest) kmsg.Response {
	if req.EndpointType != endpointControllers {
		return describeClusterError(req, kafka.ErrMismatchedEndpointType,
			"The request was sent to an endpoint of the wrong type: this is a controller.")
	}
	resp := kmsg.NewPtrDescribeClusterResponse()
	resp.SetVersion(req.GetVersion())
	resp.EndpointType, resp.ClusterID = endpointControllers, l.cfg.Machine.ClusterID
	resp.ControllerID, _ = l.leader()
	if resp.ControllerID < 0 && !l.inst.Load().votes(l.cfg.self()) {
		resp.ControllerID = l.told.Load()
	}
	for id, c := range l.cfg.Holder.Load().Controllers() {
		for _, e := range c.EndPoints {
			if e.Name != l.cfg.Endpoints[0].Name {
				continue
			}
			b := kmsg.NewDescribeClusterResponseBroker()
			b.NodeID, b.Host, b.Port = id, e.Host, int32(e.Port)
			resp.Brokers = append(resp.Brokers, b)
		}
	}
	return resp
}
