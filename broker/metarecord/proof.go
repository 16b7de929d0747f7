package metarecord

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
)

// Tags of ours in Kafka's requests.
const (
	tagProof    = 10000 // BrokerRegistration request: a Proof
	tagUndoubt  = 10000 // AlterPartition request, on a member of NewEpochISR: takes its mark off
	tagDirStall = 10000 // BrokerHeartbeat request: leaderships should move away
)

// Proof is what a broker's recovery found, as its registration says it before
// the broker serves anything: the verdicts worse than intact, and the ends of
// the replicas outside ISR (for the operator's unclean election).
type Proof struct {
	Doubtful []PartitionEnd // bytes were cut, or a failed journal commit touches the replica
	Damaged  []PartitionEnd // less than the synced-through mark; LastEpoch and End are -1
	Ends     []PartitionEnd // of replicas outside ISR
}

const proofFormat = 0

// SetOn puts p on a registration request, which must not carry one yet.
func (p *Proof) SetOn(req *kmsg.BrokerRegistrationRequest) {
	dst := []byte{proofFormat}
	for _, list := range [][]PartitionEnd{p.Doubtful, p.Damaged, p.Ends} {
		dst = appendCount(dst, len(list), false)
		for i := range list {
			dst = list[i].appendTo(dst, 0)
		}
	}
	req.UnknownTags.Set(tagProof, dst)
}

// ProofOf reads the proof of a registration request; a request without one has
// the empty proof.
func ProofOf(req *kmsg.BrokerRegistrationRequest) (p Proof, err error) {
	b, ok := tagOf(&req.UnknownTags, tagProof)
	if !ok {
		return p, nil
	}
	r := newReader(b)
	if format := r.Int8(); !r.Bad() && format != proofFormat {
		return Proof{}, fmt.Errorf("registration proof of format %d: %w", format, ErrTooNew)
	}
	for _, list := range []*[]PartitionEnd{&p.Doubtful, &p.Damaged, &p.Ends} {
		n, ok := r.count(partitionEndBytesMin, false)
		if !ok {
			continue
		}
		*list = make([]PartitionEnd, n)
		for i := range *list {
			(*list)[i].readFrom(&r, 0)
		}
	}
	if err := r.failure(); err != nil {
		return Proof{}, fmt.Errorf("registration proof: %w", err)
	}
	return p, nil
}

// partitionEndBytesMin is the least a PartitionEnd takes, in bytes.
const partitionEndBytesMin = 16 + 4 + 4 + 8 + 1

// End makes the entry of a Proof.
func End(tp kafka.TopicPartition, lastEpoch int32, end int64) PartitionEnd {
	return PartitionEnd{TopicID: tp.Topic, PartitionID: tp.Partition, LastEpoch: lastEpoch, End: end}
}

// SetUndoubt says on a member of an AlterPartition request that it was proved
// under its new broker epoch, so that its doubtful mark comes off.
func SetUndoubt(member *kmsg.AlterPartitionRequestTopicPartitionNewEpochISR) {
	member.UnknownTags.Set(tagUndoubt, []byte{1})
}

// Undoubt reads what SetUndoubt wrote.
func Undoubt(member *kmsg.AlterPartitionRequestTopicPartitionNewEpochISR) bool {
	b, ok := tagOf(&member.UnknownTags, tagUndoubt)
	return ok && len(b) == 1 && b[0] == 1
}

// SetStalledDirs says on a heartbeat that these directories have not answered
// for longer than the stall limit.
func SetStalledDirs(req *kmsg.BrokerHeartbeatRequest, dirs []kafka.UUID) {
	if len(dirs) == 0 {
		return
	}
	dst := appendCount(nil, len(dirs), false)
	for _, d := range dirs {
		dst = append(dst, d[:]...)
	}
	req.UnknownTags.Set(tagDirStall, dst)
}

// StalledDirs reads what SetStalledDirs wrote.
func StalledDirs(req *kmsg.BrokerHeartbeatRequest) ([]kafka.UUID, error) {
	b, ok := tagOf(&req.UnknownTags, tagDirStall)
	if !ok {
		return nil, nil
	}
	r := newReader(b)
	n, _ := r.count(len(kafka.UUID{}), false)
	dirs := make([]kafka.UUID, n)
	for i := range dirs {
		dirs[i] = r.UUID()
	}
	if err := r.failure(); err != nil {
		return nil, fmt.Errorf("stalled directories: %w", err)
	}
	return dirs, nil
}

func tagOf(tags *kmsg.Tags, key uint32) (value []byte, ok bool) {
	tags.Each(func(k uint32, v []byte) {
		if k == key {
			value, ok = v, true
		}
	})
	return value, ok
}
