package logdir

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// recovery is what Open knows of the directory while it recovers.
type recovery struct {
	d       *Dir
	clean   bool
	head    marksHead
	marks   map[kafka.TopicPartition]*marksEntry
	noMarks bool // moldau.marks is missing or cannot be read
	journal *replay

	// Kafka's checkpoints, by topic name and partition.
	highWatermarks, starts, points map[name]int64

	buffers sync.Pool
	scanned atomic.Int64
}

type name struct {
	topic     string
	partition int32
}

// smallFileMax bounds the small files that are read, in bytes.
const smallFileMax = 64 << 20

// recover reads the directory: the journal, then partition by partition what
// it has to replay, scan and cut; at the end the journal is empty.
func (d *Dir) recover() error {
	began := d.cfg.Clock.Mono()
	list, err := d.cfg.FS.List(d.cfg.Path)
	if err != nil {
		return err
	}
	r := &recovery{d: d}
	r.buffers.New = func() any { b := make([]byte, scanBufferBytes); return &b }
	if err := r.readRoot(list); err != nil {
		return err
	}
	if err := r.begin(); err != nil {
		return err
	}
	if err := r.removeLeftovers(list); err != nil {
		return err
	}
	results, err := r.partitions(r.folders(list))
	if err != nil {
		return err
	}
	if err := r.end(results); err != nil {
		return err
	}
	d.cfg.Events.Emit(RecoveryDone{
		Dir: d.cfg.Path, Clean: r.clean, Partitions: len(results), Replayed: r.journal.entries,
		Scanned: r.scanned.Load(), TookMs: d.cfg.Clock.Mono().Sub(began).Milliseconds(),
	})
	return nil
}

// partitions recovers them all and makes what they keep durable.
func (r *recovery) partitions(folders []folder) ([]Recovered, error) {
	d := r.d
	d.generation.Store(r.journal.generation)
	d.blockNumber.Store(newestBlock(r.journal.files))
	d.committer.j.sequence = r.journal.sequence
	later := false
	prepared := make(chan error, 1)
	go func() {
		err := ErrOffline // of a call that does not return
		defer func() { prepared <- err }()
		later, err = r.prepare()
	}()
	results, left := make([]Recovered, len(folders)), make([]leftover, len(folders))
	err := d.parallel(len(folders), d.cfg.RecoveryLanes, func(i int) (err error) {
		results[i], left[i], err = r.partition(folders[i])
		return err
	})
	if err = firstError(<-prepared, err); err != nil {
		return nil, err
	}
	nameless, err := r.keep(left, later)
	for i := range results {
		results[i].nameless = nameless[results[i].ID]
	}
	return slices.DeleteFunc(results, isUnfinished), err
}

// readRoot reads the files at the directory's root.
func (r *recovery) readRoot(list []vfs.Info) error {
	d := r.d
	var names []string
	for _, info := range list {
		names = append(names, info.Name)
	}
	if b, ok, err := d.readSmall(seglog.CleanShutdownFile); err != nil {
		return err
	} else if ok {
		epoch, err := seglog.ParseCleanShutdown(b)
		r.clean = err == nil
		if r.clean {
			d.brokerPrev = epoch
		}
	}
	b, ok, err := d.readSmall(marksFile)
	if err != nil {
		return err
	}
	r.noMarks = !ok
	if ok {
		if r.head, r.marks, err = decodeMarks(b); errors.Is(err, errMarksVersion) {
			return err
		}
	}
	bad := ok && err != nil
	if r.journal, err = d.readJournal(names, r.head); err != nil {
		return err
	}
	if bad {
		// The marks are replaced in one step, so nothing but rot makes them
		// unreadable: no S can be known, every replica is in doubt.
		r.noMarks, r.journal.all = true, true
	}
	r.highWatermarks = d.readOffsets(seglog.HighWatermarkFile)
	r.starts = d.readOffsets(seglog.LogStartFile)
	r.points = d.readOffsets(seglog.RecoveryPointFile)
	return nil
}

// begin makes the stop before unclean for good, before anything changes.
func (r *recovery) begin() error {
	d := r.d
	err := d.cfg.FS.Remove(d.cfg.Path + "/" + seglog.CleanShutdownFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Section 5: a crash from here on is an unclean stop.
	return d.syncDir(d.cfg.Path, promiseUnclean)
}

// folder is a partition's folder.
type folder struct {
	topic     string
	partition int32
	path      string
}

// folders are the partitions' folders among the entries of the root.
func (r *recovery) folders(list []vfs.Info) (folders []folder) {
	for _, info := range list {
		topic, partition, ok := seglog.ParseFolderName(info.Name)
		if info.Dir && ok && topic != kafka.MetadataTopicName && !isDeleted(info) {
			folders = append(folders, folder{topic: topic, partition: partition, path: r.d.cfg.Path + "/" + info.Name})
		}
	}
	return folders
}

// isDeleted says whether an entry of the root is a folder that waits for its removal.
func isDeleted(info vfs.Info) bool { return info.Dir && strings.HasSuffix(info.Name, deleteSuffix) }

// removeLeftovers removes files that were being written, and the folders of
// deleted partitions. The process that renamed such a folder may have been killed
// before that was durable: then a power loss brings its old name back, and what was
// removed of it meanwhile would be missed as damage.
func (r *recovery) removeLeftovers(list []vfs.Info) error {
	d := r.d
	if slices.ContainsFunc(list, isDeleted) {
		// rebuildable: a folder that comes back is deleted again, but has to come back whole.
		if err := d.cfg.FS.SyncDir(d.cfg.Path); err != nil {
			return fmt.Errorf("sync directory %s: %w", d.cfg.Path, err)
		}
	}
	for _, info := range list {
		path, err := d.cfg.Path+"/"+info.Name, error(nil)
		switch {
		case isDeleted(info):
			err = d.cfg.FS.RemoveAll(path)
		case !info.Dir && strings.HasSuffix(info.Name, tmpSuffix):
			err = d.cfg.FS.Remove(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// end makes what was found the new beginning: marks that say so and an empty
// journal, unless segments are left to sync; then the background lane does it.
// Either way the root has been synced when it returns, with the marks or with the
// new journal's block, and so the names of all folders that were found, of which
// some may have been created by a process that was killed before its own sync (P1).
func (r *recovery) end(results []Recovered) error {
	d := r.d
	slices.SortFunc(results, func(a, b Recovered) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.ID.Partition) - int(b.ID.Partition)
	})
	d.recovered = results
	t := &d.background.marks
	j := &d.committer.j
	j.completed.Store(j.sequence)
	t.head = marksHead{generation: r.journal.generation, sequence: r.journal.sequence}
	if d.background.kept != nil {
		t.head.sequence = r.head.sequence
	}
	for i := range results {
		if results[i].Err != nil {
			d.senseless[name{results[i].Topic, results[i].ID.Partition}] = true
		} else {
			d.byID[results[i].ID] = i
			t.put(entryOf(&results[i], j.sequence), 0)
		}
	}
	r.findLost()
	if d.background.kept != nil {
		return nil
	}
	if len(results) == 0 && len(r.journal.files) == 0 {
		return nil // a new directory
	}
	if !r.clean || len(r.journal.files) > 0 || r.noMarks {
		if err := d.background.writeMarks(); err != nil {
			return err
		}
	}
	for _, name := range r.journal.files {
		if err := d.cfg.FS.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// entryOf is the marks entry of a recovered log: all of it is durable.
func entryOf(r *Recovered, sequence uint64) *marksEntry {
	st := &r.State
	return &marksEntry{id: r.ID, synced: st.End, start: st.LogStart, asOf: sequence, resume: &resume{
		end: st.End, segments: st.Segments, epochs: st.Epochs, producers: st.Producers,
	}}
}

// readSmall reads a file at the root; ok is false when it is not there.
func (d *Dir) readSmall(file string) (b []byte, ok bool, err error) {
	b, err = vfs.ReadFile(d.cfg.FS, d.cfg.Path+"/"+file, marksBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", file, err)
	}
	return b, true, nil
}

// readOffsets reads one of Kafka's checkpoints; they are hints, so one that
// cannot be read counts as empty.
func (d *Dir) readOffsets(file string) map[name]int64 {
	b, ok, err := d.readSmall(file)
	if !ok || err != nil {
		return nil
	}
	entries, err := seglog.ParseOffsets(b)
	if err != nil {
		return nil
	}
	m := make(map[name]int64, len(entries))
	for _, e := range entries {
		m[name{e.Topic, e.Partition}] = e.Offset
	}
	return m
}
