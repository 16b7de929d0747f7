package workload

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/linearizability/history"
)

// Bounds of values.
const (
	keys          = 23       // different keys of a client
	timesBackMs   = 5_000    // a client's timestamps lie up to so far in the past
	decompressMax = 16 << 20 // bytes of one batch
	fnvOffset64   = 14695981039346656037
	fnvPrime64    = 1099511628211
)

// hash is FNV-1a of 64 bits.
func hash(b []byte) uint64 {
	h := uint64(fnvOffset64)
	for _, c := range b {
		h = (h ^ uint64(c)) * fnvPrime64
	}
	return h
}

// appendValue appends the value of a number: the number and bytes that follow
// from it, some of them compressible, size in all.
func appendValue(b []byte, number uint64, size int) []byte {
	start := len(b)
	b = append(b, 'v')
	b = strconv.AppendUint(b, number, 10)
	b = append(b, ':')
	state := number*0x9e3779b97f4a7c15 + 1
	for len(b)-start < size {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		run := int(state>>60) + 1
		for range min(run, size-(len(b)-start)) {
			b = append(b, 'a'+byte(state>>32)%26)
		}
	}
	return b
}

// batchMaker makes batches of records that nobody made before. It is for one
// goroutine.
type batchMaker struct {
	env     *Env
	builder *batch.Builder
	codecs  *batch.Codecs
	value   []byte
	key     []byte
}

func newBatchMaker(env *Env) *batchMaker {
	return &batchMaker{env: env, builder: batch.NewBuilder(batch.BuilderOptions{}), codecs: batch.NewCodecs(batch.Limits{})}
}

// fill makes a batch of n records with values of up to valueBytes. producer is
// nil without idempotence.
func (m *batchMaker) fill(n, valueBytes int, codec batch.Codec, producer *batch.Producer) ([]byte, []history.Record, error) {
	m.builder.Reset(batch.BuilderOptions{Compression: batch.Compression{Codec: codec}, Producer: producer})
	records := make([]history.Record, n)
	now := m.env.Clock.Wall()
	for i := range records {
		number := m.env.Recorder.NewValue()
		m.value = appendValue(m.value[:0], number, m.env.Rand.IntN(valueBytes+1))
		r := history.Record{
			Offset: history.Unknown, Epoch: history.Unknown, Value: hash(m.value), TimestampMs: now,
			ProducerID: history.Unknown, ProducerEpoch: history.Unknown, Sequence: history.Unknown,
		}
		if m.env.Rand.IntN(8) == 0 {
			r.TimestampMs -= m.env.Rand.Int64N(timesBackMs)
		}
		if producer != nil {
			r.ProducerID, r.ProducerEpoch, r.Sequence = producer.ID, producer.Epoch, batch.AddSequence(producer.BaseSequence, int32(i))
		}
		key := m.key[:0]
		if k := m.env.Rand.IntN(keys + 1); k > 0 {
			key = strconv.AppendInt(append(key, 'k'), int64(k), 10)
			r.Key = string(key)
		}
		m.key = key
		if err := m.builder.Append(batch.NewRecord{Timestamp: r.TimestampMs, Key: key, Value: m.value}); err != nil {
			return nil, nil, err
		}
		records[i] = r
	}
	raw, err := m.builder.Build(m.codecs)
	return raw, records, err
}

// errRot says that a batch came that nobody can have written.
var errRot = errors.New("a batch came whose checksum is wrong, or which does not follow the one before")

// continues reports, as errRot, records that do not follow each other from a
// position on, by offsets and epochs, which no checksum covers.
func continues(records []history.Record, position int64) error {
	epoch := int32(0)
	for i := range records {
		if records[i].Offset != position+int64(i) || records[i].Epoch < epoch {
			return fmt.Errorf("%w: offset %d of epoch %d where offset %d of epoch %d or later is next",
				errRot, records[i].Offset, records[i].Epoch, position+int64(i), epoch)
		}
		epoch = records[i].Epoch
	}
	return nil
}

// batchReader reads what fetches bring. It is for one goroutine.
type batchReader struct {
	codecs *batch.Codecs
}

func newBatchReader() *batchReader {
	return &batchReader{batch.NewCodecs(batch.Limits{MaxDecompressed: decompressMax})}
}

// read returns the records of raw, without those of the first batch that lie
// below the position asked for, and without a batch that is cut off at the end,
// as clients do; all else as it came. The error is errRot, or says what can be no
// answer of a broker.
func (r *batchReader) read(raw []byte, position int64) ([]history.Record, error) {
	var out []history.Record
	for first := true; len(raw) > 0; first = false {
		h, b, rest, err := batch.Next(raw)
		if errors.Is(err, batch.ErrPartial) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if batch.CheckCRC(b) != nil {
			return nil, errRot
		}
		from := int64(0)
		if first && h.LastOffset() >= position {
			from = position
		}
		if out, err = r.take(out, h, b, from); err != nil {
			return nil, err
		}
		raw = rest
	}
	return out, nil
}

// take appends the records of one batch from an offset on.
func (r *batchReader) take(out []history.Record, h batch.Header, b []byte, from int64) ([]history.Record, error) {
	if h.IsControl() {
		return out, nil
	}
	body, err := r.codecs.Body(h, b)
	if err != nil {
		return nil, err
	}
	it := batch.Records(h, body)
	for {
		record, more, err := it.Next()
		if err != nil {
			return nil, err
		}
		if !more {
			return out, nil
		}
		if record.Offset < from {
			continue
		}
		got := history.Record{
			Offset: record.Offset, Epoch: h.LeaderEpoch, Key: string(record.Key), Value: hash(record.Value), TimestampMs: record.Timestamp,
			ProducerID: h.ProducerID, ProducerEpoch: h.ProducerEpoch, Sequence: history.Unknown,
		}
		if h.ProducerID >= 0 && h.BaseSequence >= 0 {
			got.Sequence = batch.AddSequence(h.BaseSequence, record.OffsetDelta)
		}
		out = append(out, got)
	}
}
