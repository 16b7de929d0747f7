package logdir

import (
	"errors"
	"fmt"
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// A batch's leader epoch lies outside of its checksum. Recovery takes one that is
// above all that the log knows for a new leader's; only the metadata can tell that
// nobody was ever granted it. It is there after recovery and before registration.

// CutUngranted cuts a recovered log, before it is adopted, at its first batch of
// a leader epoch above granted: the partition's in metadata that holds all that
// was committed when this process started. Such an epoch is rot (K5). What is cut
// off is kept aside, and the verdict recorded first: doubtful where it lies above
// S, as rot in the last turn is, else damaged. A log without such an epoch stays
// as it is. It waits on the disk.
func (d *Dir) CutUngranted(id kafka.TopicPartition, granted int32) error {
	d.mu.Lock()
	i, ok := d.byID[id]
	d.mu.Unlock()
	if !ok {
		return fmt.Errorf("cut %s: %w", id, ErrNotFound)
	}
	r := &d.recovered[i] // nobody else changes it before it is adopted
	epochs := r.State.Epochs
	n := slices.IndexFunc(epochs, func(e seglog.EpochStart) bool { return e.Epoch > granted })
	if n < 0 {
		return nil
	}
	if r.part == nil {
		r.part = d.open(r)
	}
	bytes, kept, st, err := d.cutUngranted(r, n)
	switch {
	case errors.Is(err, ErrCorrupt):
		return d.leaveDamaged(r, err)
	case errors.Is(err, vfs.ErrNoSpace):
		return err
	case err != nil:
		d.fail(err)
		return err
	}
	d.mu.Lock()
	r.State = st
	d.mu.Unlock()
	d.cfg.Events.Emit(LogCut{
		Dir: d.cfg.Path, Topic: r.Topic, Partition: id.Partition, Offset: st.End, Bytes: bytes, Kept: kept,
		Reason: fmt.Sprintf("leader epoch %d at offset %d, %d is the last that was granted", epochs[n].Epoch, epochs[n].Offset, granted),
	})
	return nil
}

// cutUngranted cuts before the n-th leader epoch of what was recovered. It says how
// many bytes are kept aside, in which file, and what the log is then.
func (d *Dir) cutUngranted(r *Recovered, n int) (bytes int64, kept string, st seglog.State, err error) {
	cut, err := r.part.ungranted(&r.State, n)
	if err != nil {
		return 0, "", st, err
	}
	if err := r.part.SetStanding(cut.evidence.Recorded); err != nil {
		return 0, "", st, err
	}
	if bytes, kept, err = r.part.keepFrom(cut.segment, cut.position); err != nil {
		return 0, "", st, fmt.Errorf("keep what is cut off %s: %w", r.part.path(), err)
	}
	if st, err = d.cutNow(r.part, cut.op()); err != nil {
		return 0, "", st, err
	}
	st.HighWatermark = min(max(r.State.HighWatermark, st.LogStart), st.End)
	st.Evidence = cut.evidence
	return bytes, kept, st, nil
}

// leaveDamaged leaves a log alone that cannot be cut, as other batches in it have
// rotted, too: the next start reads all of it.
func (d *Dir) leaveDamaged(r *Recovered, found error) error {
	if err := r.part.SetStanding(seglog.Damaged); err != nil {
		return err
	}
	d.mu.Lock()
	e := &r.State.Evidence
	e.Clean, e.Recorded, e.LastEpoch, e.End = false, seglog.Damaged, -1, r.State.LogStart
	d.mu.Unlock()
	d.cfg.Events.Emit(LogCut{
		Dir: d.cfg.Path, Topic: r.Topic, Partition: r.ID.Partition, Offset: r.State.End,
		Reason: fmt.Sprintf("nothing is cut before the next start, which reads the whole log: %v", found),
	})
	return nil
}

// ungrantedCut is where such a cut falls, and what follows from it.
type ungrantedCut struct {
	restart           bool // nothing at or above the log start stays
	end               int64
	segment, position int64
	evidence          seglog.Evidence
}

// ungranted finds the cut before the n-th leader epoch.
func (p *Partition) ungranted(st *seglog.State, n int) (ungrantedCut, error) {
	c := ungrantedCut{end: st.LogStart, segment: st.Segments[0].Base, restart: true}
	before := int32(-1)
	if first := st.Epochs[n].Offset; n > 0 && first > st.LogStart {
		end, last, err := p.cutPoint(first)
		if errors.Is(err, ErrCorrupt) {
			end, last, err = p.cutPoint(first)
		}
		if err != nil {
			return c, err
		}
		c.end, c.segment, c.position, c.restart = end, last.Base, last.Size, false
		before = st.Epochs[n-1].Epoch
	}
	e := st.Evidence
	e.Clean, e.Cut, e.End, e.LastEpoch = false, true, c.end, before
	e.Recorded = seglog.Classify(kafka.DurabilitySync, e)
	c.evidence = e
	return c, nil
}

func (c *ungrantedCut) op() seglog.Op {
	if c.restart {
		return seglog.Op{Kind: seglog.OpRestartAt, Offset: c.end}
	}
	return seglog.Op{Kind: seglog.OpTruncate, Offset: c.end}
}

// keepFrom copies a log's bytes from a place on into files for people to look
// into. It says how many they are, and the name of the last file.
func (p *Partition) keepFrom(segment, position int64) (bytes int64, kept string, err error) {
	for _, s := range p.segments() {
		from := int64(0)
		if s.base == segment {
			from = position
		}
		if size := s.size.Load(); s.base >= segment && size > from {
			kept = keptName(s.base, from)
			if err := p.d.keepTail(p.path(), seglog.FileName(s.base, seglog.LogSuffix), kept, from, size); err != nil {
				return 0, "", err
			}
			bytes += size - from
		}
	}
	return bytes, kept, nil
}

// cutNow carries out a cut of a partition that nobody has adopted, by rule F3,
// and returns the log as it is then.
func (d *Dir) cutNow(p *Partition, op seglog.Op) (st seglog.State, err error) {
	gone := d.lane.call(func(l *lane) {
		l.cuts = append(l.cuts, cutOrder{p: p, op: op})
		l.cut()
		t := &p.lane
		if t.lost {
			err = fmt.Errorf("%w: %s cannot be cut", ErrCorrupt, p.path())
			return
		}
		st = seglog.State{
			LogStart: t.start, End: t.end, Segments: slices.Clone(t.infos), Epochs: t.epochs.TruncateStart(t.start).Entries(),
		}
		if t.producers != nil {
			st.Producers = t.producers.Entries()
		}
	})
	return st, firstError(gone, d.Err(), err)
}
