package quorum

import (
	"net"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/raftmeta"
	"github.com/moldau/moldau/clock"
)

// parkedFetch waits for records.
type parkedFetch struct {
	req   *kmsg.FetchRequest
	reply func(kmsg.Response)
	until clock.Mono
}

// fetchPartition is the one partition that a metadata fetch asks for.
func fetchPartition(req *kmsg.FetchRequest) *kmsg.FetchRequestTopicPartition {
	if len(req.Topics) != 1 || len(req.Topics[0].Partitions) != 1 || req.Topics[0].Partitions[0].Partition != 0 {
		return nil
	}
	t := &req.Topics[0]
	if req.Version >= 13 && t.TopicID != [16]byte(kafka.MetadataTopicUUID) || req.Version < 13 && t.Topic != kafka.MetadataTopicName {
		return nil
	}
	return &t.Partitions[0]
}

// fetchError answers with an error at the top.
func fetchError(req *kmsg.FetchRequest, code kafka.ErrorCode) kmsg.Response {
	resp := kmsg.NewPtrFetchResponse()
	resp.SetVersion(req.GetVersion())
	resp.ErrorCode = int16(code)
	return resp
}

// fetch serves an observer's Fetch of the metadata log (KIP-595): committed
// records only; a log that parted from this one is told where; one that is too
// far behind is told the snapshot. Who asks a controller that knows another to
// be active is sent there; one without a vote sends on whoever asks it.
func (l *loop) fetch(req *kmsg.FetchRequest, reply func(kmsg.Response)) {
	p := fetchPartition(req)
	if p == nil {
		reply(fetchError(req, kafka.ErrInvalidRequest))
		return
	}
	if req.ClusterID != nil && *req.ClusterID != l.cfg.Machine.ClusterID {
		reply(fetchError(req, kafka.ErrInconsistentClusterID))
		return
	}
	l.observe(req, p)
	wait := time.Duration(max(req.MaxWaitMillis, 0)) * time.Millisecond
	if wait == 0 || l.fetchReady(req, p) || len(l.parked) >= parkedFetchMax {
		reply(l.fetchAnswer(req, p))
		return
	}
	l.parked = append(l.parked, parkedFetch{req: req, reply: reply, until: l.cfg.Clock.Mono().Add(wait)})
}

// fetchReady reports whether a fetch has something to be told.
func (l *loop) fetchReady(req *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) bool {
	if l.fetchRefused(p) != kafka.ErrNone {
		return true
	}
	switch pos, _, _ := l.feed.check(p.FetchOffset, p.LastFetchedEpoch); pos {
	case positionAhead:
		return false
	case positionDiverges, positionTooOld:
		return true
	}
	bytesMin := max(int(req.MinBytes), 1)
	return l.feed.size(p.FetchOffset, bytesMin) >= bytesMin
}

// fetchRefused is why a fetch is not served here.
func (l *loop) fetchRefused(p *kmsg.FetchRequestTopicPartition) kafka.ErrorCode {
	leader, epoch := l.leader()
	if code := epochRefused(p.CurrentLeaderEpoch, epoch); code != kafka.ErrNone {
		return code
	}
	if leader >= 0 && leader != l.cfg.Machine.NodeID || leader < 0 && !l.inst.Load().votes(l.cfg.self()) {
		return kafka.ErrNotLeaderOrFollower
	}
	return kafka.ErrNone
}

// epochRefused checks the epoch that an observer believes in against this
// node's (KIP-320). One that names none (below 0) is served: records here are committed,
// whoever leads.
func epochRefused(asked, epoch int32) kafka.ErrorCode {
	switch {
	case asked < 0 || asked == epoch:
		return kafka.ErrNone
	case asked < epoch:
		return kafka.ErrFencedLeaderEpoch
	}
	return kafka.ErrUnknownLeaderEpoch
}

// fetchAnswer is the answer as of now.
func (l *loop) fetchAnswer(req *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) kmsg.Response {
	resp := kmsg.NewPtrFetchResponse()
	resp.SetVersion(req.GetVersion())
	rt := kmsg.NewFetchResponseTopic()
	rt.Topic, rt.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
	rp := kmsg.NewFetchResponseTopicPartition()
	rp.HighWatermark, rp.LastStableOffset, rp.LogStartOffset = l.feed.next, l.feed.next, l.feed.start
	leader, epoch := l.leader()
	rp.CurrentLeader.LeaderID, rp.CurrentLeader.LeaderEpoch = leader, epoch
	if l.office == nil {
		rp.HighWatermark, rp.LastStableOffset = -1, -1 // not known
	}
	refused := l.fetchRefused(p)
	switch pos, divergingEpoch, end := l.feed.check(p.FetchOffset, p.LastFetchedEpoch); { // positionAhead: nothing to tell yet
	case refused != kafka.ErrNone:
		rp.ErrorCode, rp.HighWatermark, rp.LastStableOffset = int16(refused), -1, -1
	case pos == positionValid:
		rp.RecordBatches = l.feed.read(p.FetchOffset, fetchLimit(req, p))
	case pos == positionDiverges:
		rp.DivergingEpoch.Epoch, rp.DivergingEpoch.EndOffset = divergingEpoch, end
	case pos == positionTooOld:
		if id, ok := l.cfg.Store.Snapshots.Latest(); ok {
			rp.SnapshotID.EndOffset, rp.SnapshotID.Epoch = id.EndOffset, id.Epoch
		} else {
			rp.ErrorCode = int16(kafka.ErrOffsetOutOfRange)
		}
	}
	rt.Partitions = append(rt.Partitions, rp)
	resp.Topics = append(resp.Topics, rt)
	if req.Version >= 16 {
		resp.Brokers = l.leaderEndpoint(leader)
	}
	return resp
}

func fetchLimit(req *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) int {
	return int(max(min(req.MaxBytes, p.PartitionMaxBytes, fetchBytesMax), 1))
}

// leaderEndpoint tells where the active controller is reached, if it is known.
func (l *loop) leaderEndpoint(leader int32) []kmsg.FetchResponseBroker {
	b := kmsg.NewFetchResponseBroker()
	b.NodeID = leader
	if c := l.cfg.Holder.Load().Controller(leader); c != nil && len(c.EndPoints) > 0 {
		b.Host, b.Port = c.EndPoints[0].Host, int32(c.EndPoints[0].Port)
	} else if leader < 0 || !l.knownAddress(&b) {
		return nil
	}
	return []kmsg.FetchResponseBroker{b}
}

// knownAddress fills in where a controller is that has not registered yet.
func (l *loop) knownAddress(b *kmsg.FetchResponseBroker) bool {
	if l.cfg.Addresses == nil {
		return false
	}
	for _, address := range l.cfg.Addresses(b.NodeID) {
		host, text, err := net.SplitHostPort(address)
		port, err2 := strconv.Atoi(text)
		if err == nil && err2 == nil {
			b.Host, b.Port = host, int32(port)
			return true
		}
	}
	return false
}

// leader is the active controller as far as this node knows, -1 if it does
// not, and the epoch.
func (l *loop) leader() (node, epoch int32) {
	r := l.raft()
	epoch = int32(r.CurrentTerm())
	_, id := r.LeaderWithID()
	if id == "" {
		return -1, epoch
	}
	node, _, err := raftmeta.ParseServerID(id)
	if err != nil || node == l.cfg.Machine.NodeID && l.office == nil && l.stalled {
		return -1, epoch
	}
	return node, epoch
}

// wakeFetches answers the parked fetches that have something to be told.
func (l *loop) wakeFetches() {
	l.answerParked(func(p parkedFetch) bool { return l.fetchReady(p.req, fetchPartition(p.req)) })
}

// expireFetches answers those whose time is over, and tells when the next is.
func (l *loop) expireFetches(now clock.Mono) (next time.Duration) {
	l.answerParked(func(p parkedFetch) bool { return p.until <= now })
	next = time.Hour
	for _, p := range l.parked {
		next = min(next, p.until.Sub(now))
	}
	return next
}

func (l *loop) answerParked(due func(parkedFetch) bool) {
	kept := l.parked[:0]
	for _, p := range l.parked {
		if due(p) {
			p.reply(l.fetchAnswer(p.req, fetchPartition(p.req)))
		} else {
			kept = append(kept, p)
		}
	}
	clear(l.parked[len(kept):])
	l.parked = kept
}
