package coord

import (
	"fmt"

	"github.com/moldau/moldau/broker/batch"
)

// Encoder makes the batch of one Outcome: uncompressed, all records at the
// time of the decision, base offset and leader epoch left to the log. The
// zero Encoder is ready. It is not safe for concurrent use.
type Encoder struct{ builder batch.Builder }

// Encode returns records as one batch in memory of its own. ErrTooLarge says
// that it would exceed maxMessageBytes.
func (e *Encoder) Encode(t Times, records []Record, maxMessageBytes int) ([]byte, error) {
	e.builder.Reset(batch.BuilderOptions{})
	for i := range records {
		one := batch.NewRecord{Timestamp: t.Wall, Key: records[i].Key, Value: records[i].Value}
		if e.builder.SizeWith(one) > maxMessageBytes {
			return nil, fmt.Errorf("%d records, %d bytes before record %d, max.message.bytes %d: %w",
				len(records), e.builder.Size(), i, maxMessageBytes, ErrTooLarge)
		}
		if err := e.builder.Append(one); err != nil {
			return nil, fmt.Errorf("encode coordinator record %d: %w", i, err)
		}
	}
	return e.builder.Build(nil)
}
