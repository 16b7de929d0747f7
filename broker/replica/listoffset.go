package replica

import (
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/internal/guard"
)

// ListOffset finds an offset by timestamp, or says where to search it. Only a
// leader answers, but for debugging. Until the high watermark reaches the start
// of its epoch a leader does not know the latest offset (rule L6, KIP-207).
func (r *Replica) ListOffset(q ListOffset) ListOffsetAnswer {
	none := ListOffsetAnswer{Offset: -1, Timestamp: -1, LeaderEpoch: NoEpoch}
	if none.Code = r.standsFor(q.CurrentLeaderEpoch, !q.Debug); none.Code != kafka.ErrNone {
		return none
	}
	upTo := r.hw
	switch {
	case q.Debug:
		upTo = r.leo
	case q.ReadCommitted:
		upTo = r.lastStable()
	}
	unsettled := kafka.ErrNone
	if !q.Debug && r.epochStart > upTo && !r.cfg.Out.Out(guard.L6Latest) {
		unsettled = kafka.ErrOffsetNotAvailable
	}
	switch q.Timestamp {
	case TimestampLatest:
		if none.Code = unsettled; none.Code != kafka.ErrNone {
			return none
		}
		return ListOffsetAnswer{Offset: upTo, Timestamp: -1, LeaderEpoch: r.role.LeaderEpoch}
	case TimestampEarliest, TimestampEarliestLocal:
		start := r.log.LogStart()
		return ListOffsetAnswer{Offset: start, Timestamp: -1, LeaderEpoch: r.log.EpochOf(start)}
	case TimestampLatestTiered, TimestampEarliestPendingUpload:
		return none // nothing is tiered
	}
	if q.Timestamp < 0 && q.Timestamp != TimestampMax {
		none.Code = kafka.ErrInvalidRequest
		return none
	}
	return r.searchTime(q.Timestamp, upTo, unsettled)
}

// searchTime gives the search for a timestamp, or the answer when no segment
// can hold it.
func (r *Replica) searchTime(timestamp, upTo int64, unsettled kafka.ErrorCode) ListOffsetAnswer {
	most := int64(-1)
	for _, s := range r.log.Segments() {
		most = max(most, s.MaxTimestamp)
	}
	a := ListOffsetAnswer{Code: unsettled, Offset: -1, Timestamp: -1, LeaderEpoch: NoEpoch}
	from := r.log.LogStart()
	if from >= upTo || timestamp > most || most < 0 {
		return a
	}
	if timestamp == TimestampMax && unsettled != kafka.ErrNone {
		return a // what is not known to be committed yet may have the greatest
	}
	a.Code, a.Searches = kafka.ErrNone, true
	a.Search = TimeSearch{Timestamp: timestamp, Max: timestamp == TimestampMax, From: from, UpTo: upTo, NotFound: unsettled}
	return a
}
