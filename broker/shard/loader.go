package shard

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/inbox"
)

const (
	// loaderLanes coordinators are loaded at once.
	loaderLanes = 2
	// loadBytesMax bounds what is read at once, whatever is configured.
	loadBytesMax = 64 << 20
	// loadWait is waited for bytes that are on their way to the file, at most
	// loadWaitsMax times in a row.
	loadWait     = 5 * time.Millisecond
	loadWaitsMax = 2000
)

// loader reads internal partitions for coordinators that load: the reading
// and the parsing happen here, the shard replays what it is given.
type loader struct {
	clock clock.Clock
	bytes int // read at once, and handed to the shard in one chunk
	jobs  *inbox.Inbox[loadJob]
	stop  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup
}

type loadJob struct {
	h          *Handle
	load       uint64
	from, upTo int64
}

// loadJobsMax bounds the queue; a job is offered once for each partition and
// leadership, so it cannot grow beyond the internal partitions.
const loadJobsMax = 1 << 16

func newLoader(c clock.Clock, bytes int) *loader {
	l := &loader{clock: c, bytes: min(bytes, loadBytesMax), jobs: inbox.New[loadJob](loadJobsMax), stop: make(chan struct{})}
	l.wg.Add(1)
	go l.run()
	return l
}

func (l *loader) start(j loadJob) { l.jobs.Offer(j) }

func (l *loader) close() {
	l.end()
	l.wg.Wait()
}

// end ends what waits.
func (l *loader) end() {
	l.once.Do(func() { close(l.stop) })
	l.jobs.Close()
}

// run hands the jobs to a bounded number of lanes.
func (l *loader) run() {
	defer l.wg.Done()
	lanes := make(chan struct{}, loaderLanes)
	var turn []loadJob
	for {
		jobs, open := l.jobs.Take(turn)
		turn = jobs
		if !open {
			return
		}
		if len(jobs) == 0 {
			select {
			case <-l.jobs.Wake():
			case <-l.stop:
				return
			}
			continue
		}
		for _, j := range jobs {
			select {
			case lanes <- struct{}{}:
			case <-l.stop:
				return
			}
			l.wg.Add(1)
			go func() {
				defer l.wg.Done()
				defer func() { <-lanes }()
				l.load(j)
			}()
		}
	}
}

// Why a load ends although nothing is wrong with the log.
var (
	errLoadStopped = errors.New("the node is stopping")
	errLoadWaited  = errors.New("what is to be written there is not in the file after ten seconds")
)

func (l *loader) load(j loadJob) {
	codecs := batch.NewCodecs(batch.Limits{})
	buf := make([]byte, 0, l.bytes)
	at, waits := j.from, 0
	for at < j.upTo {
		chunk, next, err := readTwice(j, codecs, buf, at)
		if err == nil && next == at { // not in the file yet
			switch waits++; {
			case waits > loadWaitsMax:
				err = fmt.Errorf("read %s-%d at %d: %w", j.h.Topic, j.h.ID.Partition, at, errLoadWaited)
			case !l.clock.Sleep(loadWait, l.stop):
				err = fmt.Errorf("read %s-%d at %d: %w", j.h.Topic, j.h.ID.Partition, at, errLoadStopped)
			}
		}
		if err != nil {
			j.h.shard.in.Offer(&loadChunk{h: j.h, load: j.load, err: err, damaged: l.damaged(j.h, err)})
			return
		}
		at = next
		if len(chunk) > 0 && !j.h.shard.in.Put(&loadChunk{h: j.h, load: j.load, batches: chunk}) {
			return
		}
	}
	j.h.shard.in.Put(&loadChunk{h: j.h, load: j.load, last: true, end: at})
}

// damaged reports whether err is damage of the log, and makes that verdict
// durable if it is (K4): the next recovery reads the whole log and keeps aside
// what fails, the registration after it strikes the replica out.
func (l *loader) damaged(h *Handle, err error) bool {
	if !errors.Is(err, logdir.ErrCorrupt) {
		return false
	}
	h.foundDamage(err)
	return true
}

// readTwice is readChunk, and what it finds wrong it reads again: a read that was
// wrong once is no damage, and the offset of a batch, which no checksum covers,
// decides what is loaded next. Offsets that are missing on the disk are taken at
// the second reading.
func readTwice(j loadJob, codecs *batch.Codecs, buf []byte, at int64) ([]loadedBatch, int64, error) {
	chunk, next, err := readChunk(j, codecs, buf, at, true)
	if errors.Is(err, logdir.ErrCorrupt) {
		return readChunk(j, codecs, buf, at, false)
	}
	return chunk, next, err
}

// readChunk reads whole batches from the offset at on, checks and decompresses
// them; whole says that no offset may be missing.
func readChunk(j loadJob, codecs *batch.Codecs, buf []byte, at int64, whole bool) ([]loadedBatch, int64, error) {
	ext, err := j.h.part.Read(seglog.ReadPlan{
		From: at, UpTo: j.upTo, MaxBytes: cap(buf), AtLeastOne: true,
		Start: seglog.Unknown(), End: seglog.Unknown(),
	})
	if err != nil || ext == nil {
		return nil, at, err
	}
	defer ext.Release()
	raw := append(buf[:0], make([]byte, ext.Len)...)
	if n, err := ext.File.ReadAt(raw, ext.Off); n < len(raw) {
		return nil, at, fmt.Errorf("read %s: %w", ext.File.Name(), err)
	}
	var out []loadedBatch
	for len(raw) > 0 {
		h, b, rest, err := batch.Next(raw)
		if err == nil {
			err = batch.CheckCRC(b)
		}
		if err == nil && (h.LastOffset() < at || whole && h.BaseOffset > at) {
			err = fmt.Errorf("batch of offsets %d to %d where %d is next", h.BaseOffset, h.LastOffset(), at)
		}
		if err != nil {
			return nil, at, fmt.Errorf("%s-%d at offset %d: %w: %w", j.h.Topic, j.h.ID.Partition, at, logdir.ErrCorrupt, err)
		}
		raw = rest
		body, err := codecs.Body(h, b)
		if err != nil {
			return nil, at, fmt.Errorf("%s-%d at offset %d: %w", j.h.Topic, j.h.ID.Partition, at, err)
		}
		out = append(out, loadedBatch{header: h, body: append([]byte(nil), body...)})
		at = max(at, h.NextOffset())
	}
	return out, at, nil
}
