package replica

import (
	"testing"
	"time"

	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
)

// source turns fuzzed bytes into small numbers.
type source []byte

func (s *source) next() int64 {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return int64(int8(b)) / 4
}

func (s *source) ids() (list []int32) {
	for n := s.next() & 3; n > 0; n-- {
		list = append(list, int32(s.next()&3))
	}
	return list
}

// Whatever other brokers, the controller and the images say, in any order: no
// panic, and log start, high watermark, D, LEO and Next stay in their order.
// The disk worker is the machine's own: it keeps its promises.
func FuzzMachine(f *testing.F) {
	f.Add([]byte("\x04\x08\x04\x04\x0c\x04\x08\x04\x08\x0c\x10\x20\x04\x04"))
	f.Add([]byte{0, 4, 8, 4, 4, 4, 0, 0, 4, 4, 4, 4, 8, 8, 12, 12, 20, 20, 20, 4, 4})
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzRun(t, data)
	})
}

func fuzzRun(t *testing.T, data []byte) {
	s := source(data)
	disk := newMemDisk(t, func(int64, entry, int32) {})
	cfg := testConfig()
	cfg.Log.ProducersMax = 4
	r := New(cfg, disk.state(false, false))
	var ready Ready
	var now Times
	for len(s) > 0 {
		fuzzStep(r, disk, &s, &now, &ready)
		disk.queue = append(disk.queue, ready.Ops...)
		ready.Reset()
		st := r.Status()
		if st.HighWatermark > st.LEO || st.Durable > st.LEO || !r.cutting && st.LEO > st.Next || st.LogStart > st.LEO {
			t.Fatalf("%+v", st)
		}
		if c := r.Clone(); string(c.AppendState(nil, now.Mono)) != string(r.AppendState(nil, now.Mono)) {
			t.Fatal("a clone has another fingerprint")
		}
	}
}

func fuzzStep(r *Replica, disk *memDisk, s *source, now *Times, ready *Ready) {
	switch s.next() & 15 {
	case 0, 1:
		role := Role{
			Leader: int32(s.next()&3) - 1, LeaderEpoch: r.role.LeaderEpoch + int32(s.next()&1), PartitionEpoch: r.role.PartitionEpoch + int32(s.next()&1),
			ISR: s.ids(), ELR: s.ids(), Replicas: s.ids(), Doubted: s.ids(), MinISR: int(s.next() & 3), Recovering: s.next() > 0,
		}
		for range role.Replicas {
			role.BrokerEpochs, role.Addable = append(role.BrokerEpochs, s.next()), append(role.Addable, s.next() > 0)
		}
		r.Apply(*now, role, ready)
	case 2, 3:
		r.Produce(*now, Produce{
			Batch: seglog.Batch{ProducerID: -1, BaseSequence: -1, Size: memBytes}, Data: buffer.Own(make([]byte, memBytes)), Acks: int8(s.next()&1) - 1, LeaderEpoch: NoEpoch,
		}, ready)
	case 4, 5:
		p := Position{
			Broker: int32(s.next() & 3), BrokerEpoch: s.next(), LeaderEpoch: r.role.LeaderEpoch + int32(s.next()/8), LEO: s.next(), LastEpoch: int32(s.next()),
			Durable: s.next(), DurableEpoch: int32(s.next()), LogStart: s.next(),
		}
		if s.next() > 0 {
			r.DurableReport(*now, p, ready)
			return
		}
		r.FollowerFetch(*now, p, Fetch{Offset: s.next(), LastFetchedEpoch: int32(s.next()), CurrentLeaderEpoch: p.LeaderEpoch, MaxBytes: 1000}, ready)
	case 6, 7, 8:
		ask, _ := r.NextAsk()
		a := Answer{Ask: ask, HighWatermark: s.next(), LogStart: s.next(), Diverging: EpochEnd{Epoch: NoEpoch}}
		switch s.next() & 3 {
		case 0:
			a.Diverging = EpochEnd{Epoch: int32(s.next()), Offset: s.next()}
		case 1:
			a.Code = []kafka.ErrorCode{kafka.ErrOffsetOutOfRange, kafka.ErrFencedLeaderEpoch}[s.next()&1]
		default:
			for n := s.next() & 3; n > 0; n-- {
				a.Batches = append(a.Batches, seglog.Batch{
					BaseOffset: ask.Offset + int64(len(a.Batches)), LeaderEpoch: ask.LeaderEpoch - int32(s.next()&1), Size: memBytes, ProducerID: -1, BaseSequence: -1,
				})
			}
			a.Data = bytesOf(a.Batches)
		}
		r.Fetched(*now, a, ready)
	case 9:
		r.ProposalDone(*now, ProposalResult{Attempt: r.isr.attempt - uint64(s.next()&1), Code: kafka.ErrorCode(s.next()), Unanswered: s.next() > 0, PartitionEpoch: int32(s.next())}, ready)
	case 10:
		*now = Times{Wall: now.Wall + 1000, Mono: now.Mono.Add(time.Second * time.Duration(s.next()&7))}
		r.Tick(*now, ready)
	case 11:
		r.DeleteRecords(s.next(), 1, ready)
	case 12:
		disk.sync()
	case 13:
		if len(disk.queue) > 0 && disk.queue[0].Kind == seglog.OpAppend && !disk.refusing {
			disk.fail()
		}
	default:
		if len(disk.queue) > 0 {
			disk.step()
		}
		if len(disk.answers) > 0 {
			d := disk.answers[0]
			disk.answers = disk.answers[1:]
			r.Done(*now, d, ready)
		}
	}
}

// bytesOf are batches as the leader laid them down.
func bytesOf(list []seglog.Batch) buffer.Slice {
	d := memDisk{}
	for i := range list {
		d.entries = append(d.entries, entry{epoch: list[i].LeaderEpoch})
	}
	if len(list) > 0 {
		d.base = list[0].BaseOffset
	}
	_, data := d.read(seglog.ReadPlan{From: d.base, UpTo: d.end()}, len(list))
	return data
}
