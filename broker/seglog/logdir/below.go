package logdir

import (
	"slices"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// What lies below the log start is deleted, but whoever wrote it is not forgotten:
// a batch whose answer was lost may come again after DeleteRecords or retention
// took it, and must not be appended twice. So segments that leave a log keep their
// files until moldau.marks tells of their producers (background.doom), and
// recovery reads the producers from those that it finds, or from the journal where
// a power loss took a file that the journal vouches for. It leaves the files to
// the background lane too: were they removed now, a crash before the marks are
// written would leave nothing to read.

// dropBelowStart takes segments that lie wholly below the log start out of the log.
func (p *partRecovery) dropBelowStart() error {
	n := 0
	for n+1 < len(p.files) && p.files[n+1].base <= p.start {
		n++
	}
	p.below, p.files = slices.Clone(p.files[:n]), p.files[n:]
	x := p.resume
	if len(p.files) == 0 || x != nil && x.last().Base >= p.files[0].base || x == nil && n+len(p.orphans) == 0 {
		return nil
	}
	err := p.followBelow(p.files[0].base)
	for _, f := range p.below {
		p.unneeded(seglog.FileName(f.base, seglog.LogSuffix))
	}
	if x != nil { // it lies in what was deleted since
		p.resume = nil
	}
	return err
}

// unneeded takes a .log file back that was to be synced.
func (p *partRecovery) unneeded(file string) {
	p.dirty = slices.DeleteFunc(p.dirty, func(d string) bool { return d == file })
}

// last is the segment that the resume point lies in.
func (x *resume) last() *seglog.Segment { return &x.segments[len(x.segments)-1] }

// followBelow finds out who wrote to the log up to the offset to, where its first
// segment begins. Like judge it reads again what seems to be wrong.
func (p *partRecovery) followBelow(to int64) error {
	var before *seglog.CutError
	for n := range scansMax {
		s, err := p.scanBelow(to)
		if err != nil {
			return err
		}
		next := s.scanner.Next()
		if s.cut == nil || n == scansMax-1 || n > 0 && sameCut(s.cut, before) {
			p.producers, p.producersTo = s.producers.Entries(), next
			return nil
		}
		before = s.cut
	}
	return nil
}

// scanBelow goes through the segments below the log start, from the resume point
// or the first of them on.
func (p *partRecovery) scanBelow(to int64) (*scanned, error) {
	s := &scanned{}
	var first seglog.Segment
	cfg := seglog.ScanConfig{IndexInterval: indexIntervalDefault}
	if x := p.resume; x != nil {
		first, cfg.Next = *x.last(), x.end
		s.producers = seglog.NewProducerTable(0, x.producers)
	} else {
		first = emptyInfo(p.lowest(), p.d.cfg.Clock.Wall())
		cfg.Next = first.Base
		s.producers = seglog.NewProducerTable(0, p.producersAt(first.Base))
	}
	cfg.Producers = s.producers
	s.scanner = seglog.NewScanner(cfg)
	files, orphans := p.below, p.orphans
	for s.cut == nil && s.scanner.Next() < to && len(files)+len(orphans) > 0 {
		if len(orphans) == 0 || len(files) > 0 && files[0].base <= orphans[0].segment {
			f := files[0]
			files = files[1:]
			if f.base < first.Base {
				continue
			}
			info := first
			if f.base > first.Base {
				info = emptyInfo(f.base, p.d.cfg.Clock.Wall())
			}
			if _, err := p.scanSegment(s, f, info); err != nil {
				return s, err
			}
			continue
		}
		n := 1
		for n < len(orphans) && orphans[n].segment == orphans[0].segment {
			n++
		}
		s.orphans(first, orphans[:n])
		orphans = orphans[n:]
	}
	return s, nil
}

// lowest is the base of the first segment below the log start.
func (p *partRecovery) lowest() int64 {
	switch {
	case len(p.orphans) == 0:
		return p.below[0].base
	case len(p.below) == 0:
		return p.orphans[0].segment
	}
	return min(p.below[0].base, p.orphans[0].segment)
}

// orphans goes on with the entries of a segment that has no file.
func (s *scanned) orphans(first seglog.Segment, entries []journalItem) {
	base := entries[0].segment
	if base != first.Base {
		first = emptyInfo(base, 0)
	}
	err := s.scanner.Begin(first)
	re := &remade{base: base}
	for i := range entries {
		if err == nil {
			_, s.cut = s.step(entries[i].data, re)
		}
		if err != nil || s.cut != nil {
			break
		}
	}
	if err != nil {
		s.cut, _ = isCut(err)
	}
}

// producersAt are the producers of the log up to base, as well as anything tells:
// exactly, from the snapshot there if a sound one is there, or what is known.
func (p *partRecovery) producersAt(base int64) []seglog.ProducerEntry {
	if p.producersTo == base {
		return p.producers
	}
	if entries, ok := p.snapshotAt(base); ok {
		return entries
	}
	if p.producersTo > base {
		return producersBelow(p.producers, base)
	}
	return p.producers
}

// snapshotAt reads the producer snapshot at base; ok says that a sound one is there.
func (p *partRecovery) snapshotAt(base int64) (entries []seglog.ProducerEntry, ok bool) {
	file := seglog.FileName(base, seglog.SnapshotSuffix)
	if _, ok := p.names[file]; !ok {
		return nil, false
	}
	b, err := vfs.ReadFile(p.d.cfg.FS, p.path+"/"+file, smallFileMax)
	if err != nil {
		return nil, false
	}
	entries, err = seglog.DecodeSnapshot(b)
	return entries, err == nil
}
