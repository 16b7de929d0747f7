package fetcher

import (
	"errors"
	"fmt"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/shard"
)

// tagsMax bounds the tagged fields of one structure.
const tagsMax = 64

// Tagged fields of a partition in a Fetch answer.
const tagDiverging = 0 // {epoch int32, end offset int64}

// take hands an answer's parts to their shards. An error ends the connection.
func (l *link) take(r request, body []byte) error {
	frame := buffer.NewFrame(body, &l.p.pool)
	l.p.pool.use(body)
	defer frame.Release()
	for _, id := range r.forgets {
		delete(l.asked, id)
	}
	for _, a := range r.asks {
		l.asked[a.h.ID] = a
	}
	t := taker{l: l, frame: frame, r: kafka.NewReader(body)}
	if err := t.answer(r.correlation); err != nil {
		t.drop()
		return err
	}
	l.p.in.Offer(&answered{l: l, session: t.session, parts: t.told}) // before the shards, who will say what is next
	for _, f := range t.sends {
		f.Send()
	}
	return nil
}

// taker walks through one answer (Fetch version 17).
type taker struct {
	l       *link
	frame   *buffer.Frame
	r       kafka.Reader
	session int32
	told    []answeredPart
	sends   []*shard.FollowAnswers // one for each shard that is concerned
}

var errMalformed = errors.New("malformed answer")

func (t *taker) answer(correlation int32) error {
	r := &t.r
	if got := r.Int32(); got != correlation && !r.Bad() {
		return fmt.Errorf("answer to request %d, waited for %d", got, correlation)
	}
	t.tags(nil)
	r.Int32() // throttle time
	code := kafka.ErrorCode(r.Int16())
	t.session = r.Int32()
	if code != kafka.ErrNone && !r.Bad() {
		return fmt.Errorf("fetch: %w", code)
	}
	for range t.count(16) {
		topic := r.UUID()
		for range t.count(4) {
			if err := t.partition(topic); err != nil {
				return err
			}
		}
		t.tags(nil)
	}
	t.tags(nil)
	if r.Bad() {
		return fmt.Errorf("%w: %w", errMalformed, r.Err())
	}
	if t.session == 0 {
		return errors.New("the leader keeps no fetch session")
	}
	return nil
}

// count reads the length of a compact array.
func (t *taker) count(elemBytes int) int {
	n := int(t.r.Uvarint()) - 1
	if n > t.r.Len()/elemBytes {
		t.r.Fail(kafka.ErrShort)
	}
	if n < 0 || t.r.Bad() {
		return 0
	}
	return n
}

func (t *taker) tags(field func(tag int, value *kafka.Reader)) {
	n := int(t.r.Uvarint())
	if n > tagsMax {
		t.r.Fail(kafka.ErrShort)
		return
	}
	for range n {
		tag := int(t.r.Uvarint())
		value := kafka.NewReader(t.r.Take(int(t.r.Uvarint())))
		if t.r.Bad() {
			return
		}
		if field != nil {
			field(tag, &value)
		}
	}
}

// partition reads one partition's part and makes the replica's answer of it.
func (t *taker) partition(topic kafka.UUID) error {
	r := &t.r
	id := kafka.TopicPartition{Topic: topic, Partition: r.Int32()}
	a := replica.Answer{
		Code: kafka.ErrorCode(r.Int16()), HighWatermark: r.Int64(),
		Diverging: replica.EpochEnd{Epoch: replica.NoEpoch, Offset: -1},
	}
	r.Int64() // last stable offset
	a.LogStart = r.Int64()
	for range t.count(16) { // aborted transactions
		r.Take(16)
		t.tags(nil)
	}
	r.Int32() // preferred read replica
	records := r.Take(max(int(r.Uvarint())-1, 0))
	t.tags(func(tag int, value *kafka.Reader) {
		if tag == tagDiverging {
			a.Diverging.Epoch, a.Diverging.Offset = value.Int32(), value.Int64()
		}
	})
	if r.Bad() {
		return nil // told at the end
	}
	q, known := t.l.asked[id]
	if !known {
		return fmt.Errorf("%w: it has %s, which was not asked for", errMalformed, id)
	}
	a.Ask = q.ask
	t.partitionAnswer(q.h, a, records)
	return nil
}

// partitionAnswer checks the records, and queues the answer for its shard.
func (t *taker) partitionAnswer(h *shard.Handle, a replica.Answer, records []byte) {
	f := t.l.p.f
	told := answeredPart{h: h, ask: a.Ask, lag: -1}
	end := a.Ask.Offset
	switch {
	case a.Code != kafka.ErrNone:
		told.failed = true
		f.cfg.Events.Emit(Refused{Leader: t.l.p.id, Topic: h.Topic, Partition: h.ID.Partition, Err: a.Code})
	case a.Diverging.Epoch >= 0:
		told.awaits = true
	case len(records) > 0:
		batches, used, err := parse(records)
		if err != nil {
			f.corrupt.Add(1)
			f.cfg.Events.Emit(CorruptAnswer{Leader: t.l.p.id, Topic: h.Topic, Partition: h.ID.Partition, Err: err})
			told.failed = true
			t.told = append(t.told, told)
			return
		}
		a.Batches, a.Data = batches, t.frame.Slice(records[:used:used])
		end = batches[len(batches)-1].LastOffset() + 1
		told.awaits = true
		f.bytesIn.Add(uint64(used))
	}
	if a.Code == kafka.ErrNone && a.HighWatermark >= 0 {
		told.lag = max(0, a.HighWatermark-end)
	}
	t.told = append(t.told, told)
	t.queue(shard.FollowAnswer{Handle: h, Answer: a, Owed: told.awaits})
}

// queue puts an answer with the others of its shard.
func (t *taker) queue(a shard.FollowAnswer) {
	for _, f := range t.sends {
		if shard.SameShard(f.Parts[0].Handle, a.Handle) {
			f.Parts = append(f.Parts, a)
			return
		}
	}
	t.sends = append(t.sends, &shard.FollowAnswers{Parts: []shard.FollowAnswer{a}})
}

// drop gives back what was queued.
func (t *taker) drop() {
	for _, f := range t.sends {
		for i := range f.Parts {
			f.Parts[i].Answer.Data.Release()
		}
	}
}

// parse checks the batches of an answer, and describes them. A batch that is
// cut off at the end is left out, the first one must be whole.
func parse(records []byte) (batches []seglog.Batch, used int, err error) {
	for rest := records; len(rest) > 0 && len(batches) < batchesMax; {
		header, bytes, after, err := batch.Next(rest)
		if errors.Is(err, batch.ErrPartial) && len(batches) > 0 {
			break
		}
		if err == nil {
			err = batch.CheckCRC(bytes)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("at byte %d of %d: %w", used, len(records), err)
		}
		b, err := seglog.ReadBatch(&header, bytes)
		if err != nil {
			return nil, 0, err
		}
		batches = append(batches, b)
		used += len(bytes)
		rest = after
	}
	return batches, used, nil
}
