package coord

import (
	"fmt"
	"log/slog"

	"github.com/moldau/moldau/broker/batch"
)

// ReplayBatch gives the records of one batch to the machine, while loading.
// body is the batch's decompressed records (batch.Codecs.Body). Control
// batches are passed over. A record that the machine does not understand is
// told as an event and passed over; a batch that is damaged is an error, and
// the load has failed.
func (r *Runtime) ReplayBatch(h batch.Header, body []byte) error {
	if h.IsControl() {
		r.skipTo(h.NextOffset())
		return nil
	}
	for it := batch.Records(h, body); ; {
		rec, ok, err := it.Next()
		if err != nil {
			return fmt.Errorf("load coordinator batch at offset %d: %w", h.BaseOffset, err)
		}
		if !ok {
			r.skipTo(h.NextOffset())
			return nil
		}
		if err := r.Replay(Record{Key: rec.Key, Value: rec.Value}, rec.Offset); err != nil {
			r.cfg.Events.Emit(UnreadableRecord{Offset: rec.Offset, Err: err})
		}
	}
}

// skipTo moves past offsets that hold nothing for the machine.
func (r *Runtime) skipTo(next int64) { r.end = max(r.end, next) }

// UnreadableRecord: a record of the coordinator's log was passed over at load.
type UnreadableRecord struct {
	Offset int64
	Err    error
}

// Kind is the event's name.
func (UnreadableRecord) Kind() string { return "coordinator-record-unreadable" }

// Level is the severity.
func (UnreadableRecord) Level() slog.Level { return slog.LevelWarn }

// Attrs are the fields.
func (e UnreadableRecord) Attrs() []slog.Attr {
	return []slog.Attr{slog.Int64("offset", e.Offset), slog.String("error", e.Err.Error())}
}
