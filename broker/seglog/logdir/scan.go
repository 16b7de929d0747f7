package logdir

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/seglog"
)

const (
	// scanBufferBytes is what a scan reads at once; a larger batch gets a larger
	// buffer, which its file's size bounds.
	scanBufferBytes = 256 << 10
	// indexIntervalDefault is Kafka's index.interval.bytes, for index entries
	// that recovery makes.
	indexIntervalDefault = 4096
)

// scanned is what a scan found.
type scanned struct {
	scanner   *seglog.Scanner
	producers *seglog.ProducerTable
	segments  []seglog.Segment // of the log, the last one active
	remade    []*remade        // of the segments looked at
	cut       *seglog.CutError // nil when nothing failed
	hole      bool             // a segment that must be there is missing or too short
	remnants  bool             // what is there was removed, though not durably
	looked    bool             // at bytes behind the resume point
	proved    int64            // how far the log is known to be durable
	tail      tail             // behind that
}

// remade are index entries of a segment that follow from scanned batches.
type remade struct {
	base    int64
	from    int64 // the segment's size and the log's end where the scan began
	next    int64
	index   []seglog.IndexEntry
	times   []seglog.TimeEntry
	aborted []seglog.AbortedTxn
}

// scansMax bounds how often a log is scanned whose scans differ.
const scansMax = 4

// judge scans the log, again if it is to be cut, or has a leader epoch that its
// epoch file does not have (no checksum covers it): a read that brought a wrong
// bit once must cost nothing that is right on the disk. What two scans in a row
// come to counts.
func (p *partRecovery) judge() (*scanned, error) {
	s, err := p.scan()
	for n := 1; err == nil && (s.cut != nil || p.newEpoch(s)) && n < scansMax; n++ {
		var again *scanned
		if again, err = p.scan(); err != nil {
			break
		}
		again.hole = again.hole || s.hole // a scan with a hole gives the resume point up
		same := sameCut(again.cut, s.cut) && slices.Equal(again.scanner.Epochs(), s.scanner.Epochs())
		if s = again; same {
			break
		}
	}
	return s, err
}

// newEpoch reports whether a scan saw a leader epoch that nothing else tells of.
func (p *partRecovery) newEpoch(s *scanned) bool {
	return slices.ContainsFunc(s.scanner.Epochs(), func(e seglog.EpochStart) bool {
		return !slices.Contains(p.hadEpoch, e) && (p.resume == nil || !slices.Contains(p.resume.epochs, e))
	})
}

// sameCut reports whether two scans saw the same thing: two reads that each
// brought another wrong bit of one batch end the log at the same place, but do
// not confirm each other.
func sameCut(a, b *seglog.CutError) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// scan judges the log from the resume point on, or from its first segment.
func (p *partRecovery) scan() (*scanned, error) {
	s := &scanned{proved: p.proved}
	files := p.files
	if p.resume != nil && !p.resumable(s) {
		p.dropResume()
	}
	cfg := seglog.ScanConfig{IndexInterval: indexIntervalDefault, EpochsFrom: p.start}
	var first seglog.Segment
	if x := p.resume; x != nil {
		first = *x.last()
		s.segments = p.closedOf(x)
		files = p.from(first.Base)
		cfg.Next = x.end
		cfg.Epochs = mergeEpochs(x.epochs, p.hadEpoch, x.end)
		s.producers = seglog.NewProducerTable(0, x.producers)
	} else {
		if len(files) > 0 && files[0].base > p.start && p.claimed <= p.start && !p.noMarks {
			// The log was to begin anew at its start, and the crash has kept some
			// of the files of before. (Kafka's log may begin above what it says.)
			s.remnants, files = true, nil
		}
		if len(files) == 0 {
			files = []logFile{{base: p.start}}
		}
		first = emptyInfo(files[0].base, p.d.cfg.Clock.Wall())
		cfg.Next = first.Base
		cfg.Epochs = p.hadEpoch
		s.producers = seglog.NewProducerTable(0, p.producersAt(first.Base))
	}
	cfg.Producers = s.producers
	s.scanner = seglog.NewScanner(cfg)
	for i, f := range files {
		info := first
		if i > 0 {
			info = emptyInfo(f.base, p.d.cfg.Clock.Wall())
		}
		done, err := p.scanSegment(s, f, info)
		if err != nil || done {
			return s, err
		}
	}
	return s, nil
}

// resumable reports whether the segments that the resume point names are there.
func (p *partRecovery) resumable(s *scanned) bool {
	x := p.resume
	for i := range x.segments {
		seg := &x.segments[i]
		last := i == len(x.segments)-1
		if !last && x.segments[i+1].Base <= p.start {
			continue // deleted
		}
		k := slices.IndexFunc(p.files, func(f logFile) bool { return f.base == seg.Base })
		switch {
		case k < 0 && seg.Size == 0:
			p.files = append(p.files, logFile{base: seg.Base}) // an empty segment needs no file
		case k < 0 || p.files[k].size < seg.Size:
			s.hole = true
			return false
		}
	}
	return true
}

// closedOf are the closed segments of the resume point that are still there.
func (p *partRecovery) closedOf(x *resume) []seglog.Segment {
	var closed []seglog.Segment
	for i, seg := range x.segments[:len(x.segments)-1] {
		if x.segments[i+1].Base > p.start {
			closed = append(closed, seg)
		}
	}
	return closed
}

// from are the files from base on.
func (p *partRecovery) from(base int64) []logFile {
	slices.SortFunc(p.files, func(a, b logFile) int { return int(min(1, max(-1, a.base-b.base))) })
	i, _ := slices.BinarySearchFunc(p.files, base, func(f logFile, base int64) int { return int(min(1, max(-1, f.base-base))) })
	return p.files[i:]
}

// mergeEpochs are the epochs known at the resume point and those of the file above it.
func mergeEpochs(known, file []seglog.EpochStart, end int64) []seglog.EpochStart {
	merged := slices.Clone(known)
	for _, e := range file {
		if n := len(merged); e.Offset >= end && (n == 0 || e.Epoch > merged[n-1].Epoch && e.Offset > merged[n-1].Offset) {
			merged = append(merged, e)
		}
	}
	return merged
}

// scanSegment goes on with f, of which info is known. done says that the log
// was cut here.
func (p *partRecovery) scanSegment(s *scanned, f logFile, info seglog.Segment) (done bool, err error) {
	if err := s.scanner.Begin(info); err != nil {
		cut, _ := isCut(err)
		s.cut, s.looked = cut, true
		return true, nil
	}
	s.tail.begin(f.base, info.Size, s.scanner.Next())
	re := &remade{base: f.base, from: info.Size, next: s.scanner.Next()}
	s.remade = append(s.remade, re)
	if f.size > info.Size {
		s.looked = true
		done, err = p.scanFile(s, f, info.Size, re)
	}
	s.segments = append(s.segments, s.scanner.Segment())
	return done, err
}

// scanFile shows the batches of f from position at on to the scanner.
func (p *partRecovery) scanFile(s *scanned, f logFile, at int64, re *remade) (done bool, err error) {
	file, err := p.d.cfg.FS.OpenRead(p.path + "/" + seglog.FileName(f.base, seglog.LogSuffix))
	if err != nil {
		return false, err
	}
	defer func() { err = firstError(err, file.Close()) }()
	p.unclean(seglog.FileName(f.base, seglog.LogSuffix))
	pooled := p.buffers.Get().(*[]byte)
	defer p.buffers.Put(pooled)
	buf := *pooled
	for at < f.size {
		n := min(int64(len(buf)), f.size-at)
		chunk := buf[:n]
		if _, err := file.ReadAt(chunk, at); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		p.scanned.Add(n)
		used, cut := s.step(chunk, re)
		if cut != nil {
			s.cut = cut
			return true, nil
		}
		if used == 0 {
			need := batchSize(chunk)
			if at+n >= f.size || need > f.size-at {
				s.cut = s.scanner.Torn(f.size - at)
				return true, nil
			}
			buf = make([]byte, max(need, 2*int64(len(buf))))
		}
		at += int64(used)
	}
	return false, nil
}

// step shows the whole batches of chunk; it returns the bytes that they take.
func (s *scanned) step(chunk []byte, re *remade) (used int, cut *seglog.CutError) {
	for used < len(chunk) {
		r, n, err := s.scanner.Step(chunk[used:])
		if errors.Is(err, batch.ErrPartial) {
			return used, nil
		}
		if err != nil {
			cut, ok := isCut(err)
			if !ok {
				cut = s.scanner.Torn(int64(len(chunk) - used))
			}
			return used, cut
		}
		used += n
		s.tail.pass(int64(n), s.scanner.Next(), s.proved)
		if r.HasIndex {
			re.index = append(re.index, r.Index)
		}
		if r.HasTime {
			re.times = append(re.times, r.Time)
		}
		if r.HasAborted {
			re.aborted = append(re.aborted, r.Aborted)
		}
	}
	return used, nil
}

// batchSize is the size that the batch at the front of b claims, if b holds
// enough to tell.
func batchSize(b []byte) int64 {
	if len(b) < batch.LogOverhead {
		return math.MaxInt64
	}
	return int64(int32(binary.BigEndian.Uint32(b[8:]))) + batch.LogOverhead
}
