package dump

import (
	"errors"
	"fmt"
	"io"

	"github.com/moldau/moldau/broker/batch"
)

const (
	// scanChunkLen is how many bytes are read at once when looking for the
	// next batch behind damage.
	scanChunkLen = 1 << 20
	// resyncBytesMax bounds the bytes checksummed in vain behind one damage.
	resyncBytesMax = 256 << 20
)

// segment dumps a .log file, or a .checkpoint of the metadata log, which has the same form.
func (d *file) segment() error {
	d.codecs = batch.NewCodecs(batch.Limits{})
	records, err := d.recordPrinter()
	if err != nil {
		return err
	}
	if base := d.base(); base >= 0 {
		d.out.line("entry", object{{"Log starting offset", base}})
	}
	next := max(d.base(), 0)
	var buf []byte
	for at := int64(0); at < d.size; {
		h, err := d.headerAt(at)
		if err == nil && int64(h.Size()) > d.size-at {
			err = fmt.Errorf("%w: %d of %d bytes", batch.ErrPartial, d.size-at, h.Size())
		}
		if err != nil {
			if at, err = d.skipDamage(at, err); err != nil {
				return err
			}
			continue
		}
		if buf, err = d.readAt(buf, at, h.Size()); err != nil {
			return err
		}
		next = d.batch(at, next, &h, buf, records)
		at += int64(h.Size())
	}
	return nil
}

// headerAt reads a batch's header; the error is the batch's, or of reading.
func (d *file) headerAt(at int64) (batch.Header, error) {
	var b [batch.HeaderSize]byte
	n, err := d.f.ReadAt(b[:min(batch.HeaderSize, d.size-at)], at)
	if err != nil && !errors.Is(err, io.EOF) {
		return batch.Header{}, err
	}
	return batch.ParseHeader(b[:n])
}

// readAt reads n bytes, which the file has, into buf.
func (d *file) readAt(buf []byte, at int64, n int) ([]byte, error) {
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	got, err := d.f.ReadAt(buf[:n], at)
	if got == n {
		err = nil
	}
	return buf[:n], err
}

// batch dumps one whole batch and returns the offset that the next one begins at or after.
func (d *file) batch(at, next int64, h *batch.Header, b []byte, records *recordPrinter) int64 {
	crcErr := batch.CheckCRC(b)
	d.out.line("batch", batchLine(at, h, crcErr == nil))
	if crcErr != nil {
		d.corrupt(at, h.BaseOffset, "%v", crcErr)
	}
	if h.BaseOffset < next {
		d.corrupt(at, h.BaseOffset, "base offset is below %d, where this batch may begin", next)
	}
	if !d.opt.SkipRecords {
		if err := records.batch(*h, b); err != nil {
			d.corrupt(at, h.BaseOffset, "%v", err)
		}
	}
	return max(next, h.NextOffset())
}

func batchLine(at int64, h *batch.Header, valid bool) object {
	horizon, has := h.DeleteHorizon()
	var deleteHorizon any
	if has {
		deleteHorizon = horizon
	}
	return object{
		{"baseOffset", h.BaseOffset}, {"lastOffset", h.LastOffset()}, {"count", h.Count},
		{"baseSequence", h.BaseSequence}, {"lastSequence", h.LastSequence()},
		{"producerId", h.ProducerID}, {"producerEpoch", h.ProducerEpoch}, {"partitionLeaderEpoch", h.LeaderEpoch},
		{"isTransactional", h.IsTransactional()}, {"isControl", h.IsControl()}, {"deleteHorizonMs", deleteHorizon},
		{"position", at}, {h.TimestampType().String(), h.MaxTimestamp}, {"size", h.Size()}, {"magic", h.Magic},
		{"compresscodec", h.Codec().String()}, {"crc", h.CRC}, {"isvalid", valid},
	}
}

// skipDamage reports what is wrong at a position and finds where to go on: the
// next whole batch with a right checksum, or the end of the file.
func (d *file) skipDamage(at int64, cause error) (int64, error) {
	zeros, err := d.zerosToEnd(at)
	if err != nil {
		return 0, err
	}
	if zeros {
		d.out.line("entry", object{{"position", at}, {"preallocated zero bytes", d.size - at}})
		return d.size, nil
	}
	next, err := d.resync(at + 1)
	if err != nil {
		return 0, err
	}
	d.corrupt(at, nil, "%v; %d bytes skipped", cause, next-at)
	return next, nil
}

func (d *file) zerosToEnd(at int64) (bool, error) {
	var buf []byte
	var err error
	for at < d.size {
		n := int(min(scanChunkLen, d.size-at))
		if buf, err = d.readAt(buf, at, n); err != nil {
			return false, err
		}
		for _, c := range buf {
			if c != 0 {
				return false, nil
			}
		}
		at += int64(n)
	}
	return true, nil
}

// resync is the position at or after at of the next batch whose checksum is right.
func (d *file) resync(at int64) (int64, error) {
	var chunk, buf []byte
	var err error
	inVain := 0
	for at+batch.HeaderSize <= d.size {
		if chunk, err = d.readAt(chunk, at, int(min(scanChunkLen, d.size-at))); err != nil {
			return 0, err
		}
		last := len(chunk) - batch.HeaderSize
		for i := 0; i <= last; i++ {
			h, ok := plausible(chunk[i:], d.size-at-int64(i))
			if !ok {
				continue
			}
			if inVain += h.Size(); inVain > resyncBytesMax {
				return d.size, nil
			}
			if buf, err = d.readAt(buf, at+int64(i), h.Size()); err != nil {
				return 0, err
			}
			if batch.CheckCRC(buf) == nil {
				return at + int64(i), nil
			}
		}
		at += int64(last) + 1
	}
	return d.size, nil
}

// plausible reports whether b begins with a header that could be a batch's, of
// at most left bytes.
func plausible(b []byte, left int64) (batch.Header, bool) {
	const magicAt = 16
	if b[magicAt] != 2 {
		return batch.Header{}, false
	}
	h, err := batch.ParseHeader(b)
	return h, err == nil && h.BaseOffset >= 0 && int64(h.Size()) <= left
}
