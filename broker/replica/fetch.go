package replica

import (
	"github.com/moldau/moldau/broker/kafka"
)

// Fetch says what may be read now. A leader answers an offset between high
// watermark and LEO with nothing, beyond LEO OFFSET_OUT_OF_RANGE; a follower
// (KIP-392) OFFSET_NOT_AVAILABLE and OFFSET_OUT_OF_RANGE (rule L6).
func (r *Replica) Fetch(f Fetch) FetchAnswer {
	if code := r.standsFor(f.CurrentLeaderEpoch, f.LeaderOnly || r.role.Leader < 0); code != kafka.ErrNone {
		return refusedFetch(code)
	}
	a := FetchAnswer{
		HighWatermark: r.hw, LastStable: r.lastStable(), LogStart: r.log.LogStart(),
		Diverging: EpochEnd{Epoch: NoEpoch, Offset: -1},
	}
	if f.LastFetchedEpoch != NoEpoch {
		epoch, end := r.log.EpochEnd(f.LastFetchedEpoch, r.leo)
		if epoch < 0 {
			return refusedFetch(kafka.ErrOffsetOutOfRange)
		}
		if epoch < f.LastFetchedEpoch || end < f.Offset {
			a.Diverging.Epoch, a.Diverging.Offset = epoch, end
			return a
		}
	}
	switch {
	case f.Offset < a.LogStart || f.Offset > r.leo:
		return refusedFetch(kafka.ErrOffsetOutOfRange)
	case f.Offset > r.hw && !r.leading:
		return refusedFetch(kafka.ErrOffsetNotAvailable)
	}
	upTo := a.HighWatermark
	if f.ReadCommitted {
		upTo = a.LastStable
	}
	r.plan(&a, &f, upTo)
	return a
}

func refusedFetch(code kafka.ErrorCode) FetchAnswer {
	return FetchAnswer{
		Code: code, HighWatermark: -1, LastStable: -1, LogStart: -1, Diverging: EpochEnd{Epoch: NoEpoch, Offset: -1},
	}
}

// EpochEnd answers OffsetForLeaderEpoch (KIP-101, KIP-279): where the log's
// greatest epoch at or below epoch ends.
func (r *Replica) EpochEnd(currentLeaderEpoch, epoch int32) EpochEnd {
	if code := r.standsFor(currentLeaderEpoch, true); code != kafka.ErrNone {
		return EpochEnd{Code: code, Epoch: NoEpoch, Offset: -1}
	}
	e, end := r.log.EpochEnd(epoch, r.leo)
	return EpochEnd{Epoch: e, Offset: end}
}
