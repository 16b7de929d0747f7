package workload

import (
	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/linearizability/history"
)

// scanName is the client of scans in a history.
const scanName = "scan"

// Scanner records what replicas hold, tails included that are not committed, as
// scans. It is for one goroutine.
type Scanner struct {
	recorder *Recorder
	reader   *batchReader
	seen     map[scanned]mark
}

// scanned is where a replica holds a batch.
type scanned struct {
	node   int32
	topic  *Topic
	number int32
	base   int64
}

// mark tells batches at one place apart.
type mark struct {
	crc   uint32
	epoch int32
}

// NewScanner returns a scanner that has seen nothing.
func NewScanner(r *Recorder) *Scanner {
	return &Scanner{recorder: r, reader: newBatchReader(), seen: map[scanned]mark{}}
}

// Scan records the batches of raw, a part of a node's log of a partition, up to the
// first that is torn: those that were not seen there before, all if final. It
// takes what is wrong as an end: what broke a log is told elsewhere.
func (s *Scanner) Scan(node int32, topic *Topic, number int32, raw []byte, final bool) {
	var fresh []history.Record
	flush := func() {
		if len(fresh) > 0 {
			s.record(node, topic, number, fresh, final)
		}
		fresh = nil
	}
	defer flush()
	for len(raw) > 0 {
		h, b, rest, err := batch.Next(raw)
		if err != nil {
			return
		}
		at, is := scanned{node, topic, number, h.BaseOffset}, mark{h.CRC, h.LeaderEpoch}
		if known, there := s.seen[at]; there && known == is && !final {
			flush()
			raw = rest
			continue
		}
		if batch.CheckCRC(b) != nil {
			return
		}
		if fresh, err = s.reader.take(fresh, h, b, 0); err != nil {
			return
		}
		s.seen[at] = is
		raw = rest
	}
}

func (s *Scanner) record(node int32, topic *Topic, number int32, records []history.Record, final bool) {
	op := &history.Op{
		Client: scanName, Node: node, Kind: history.KindScan, Topic: topic.Text(), Partition: number,
		Read: &history.Read{
			Position: history.Unknown, LeaderEpoch: history.Unknown, HighWatermark: history.Unknown, LastStable: history.Unknown,
			LogStart: history.Unknown, Final: final, Records: records,
		},
	}
	s.recorder.Begin(op)
	s.recorder.End(op, history.OutcomeOK, 0, s.recorder.Now())
}
