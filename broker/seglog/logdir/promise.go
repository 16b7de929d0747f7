package logdir

import (
	"fmt"

	"github.com/moldau/moldau/disk/vfs"
)

// syncPromise names what a Sync or SyncDir carries: the rule that would be
// broken if it were left out. Every one that is not rebuildable passes through
// Dir.sync or Dir.syncDir, so that a test can leave out any one of them by name.
type syncPromise uint8

const (
	// promiseSegment: bytes of a batch are on stable storage before D covers them (F4, P1).
	promiseSegment syncPromise = iota
	// promiseSegmentEntry: so is the name of a new segment (F4).
	promiseSegmentEntry
	// promiseCommit: a journal commit is on stable storage before D covers what it
	// carries, and before a log start is acknowledged (F4, P4, L7).
	promiseCommit
	// promiseBlockContents: a journal block has its length and its first page
	// before commits are written there.
	promiseBlockContents
	// promiseBlockEntry: so has it its name.
	promiseBlockEntry
	// promiseRecycleSegment: segments hold what a journal block carried before it is reused.
	promiseRecycleSegment
	// promiseRecycleEntry: so do their folders hold their names.
	promiseRecycleEntry
	// promiseMarksContents: the newest marks are in moldau.marks before a block is
	// reused, and they name only what is durable.
	promiseMarksContents
	// promiseMarksEntry: so is the file's name.
	promiseMarksEntry
	// promiseCutCommit: S is lowered and older journal entries are void before
	// the files are cut (F3).
	promiseCutCommit
	// promiseCutLength: the cut segment's length is durable before freed offsets are used (F3).
	promiseCutLength
	// promiseCutEntries: so are the removal of later segments, a new one's name,
	// and that the leader-epoch file of before is gone (F3).
	promiseCutEntries
	// promiseFolderContents: partition.metadata is durable before a partition is used (P1).
	promiseFolderContents
	// promiseFolderEntries: so are the names in the folder.
	promiseFolderEntries
	// promiseFolderName: so is the folder's name in the directory.
	promiseFolderName
	// promiseUnclean: .kafka_cleanshutdown is gone for good before anything changes (section 5).
	promiseUnclean
	// promiseCleanFiles: everything is on stable storage before .kafka_cleanshutdown says so.
	promiseCleanFiles
	// promiseCleanContents: .kafka_cleanshutdown has its contents before its name.
	promiseCleanContents
	// promiseCleanName: .kafka_cleanshutdown is durable when Close returns.
	promiseCleanName
	// promiseStandingContents: a verdict is durable before recovery changes the log (section 5).
	promiseStandingContents
	// promiseStandingEntry: so is the name of its file.
	promiseStandingEntry
	// promiseRecovered: what recovery kept is durable before it counts as D.
	promiseRecovered
	// promiseRecoveredEntries: so are the names of the files.
	promiseRecoveredEntries
	// promiseReplayed: the journal that recovery found is durable before what it
	// replays counts as D (section 5).
	promiseReplayed
	// promiseKeptBody: recovery's own commit has its body before its head, so that
	// a crash leaves all of it or none: half a commit would put replicas in doubt
	// of which nothing was under way (section 5).
	promiseKeptBody
	// promiseKept: that commit is durable before what it carries counts as D.
	promiseKept

	promiseCount
)

// syncPromiseNames are the names by number.
var syncPromiseNames = [promiseCount]string{
	"segment", "segment-entry", "commit", "block-contents", "block-entry",
	"recycle-segment", "recycle-entry", "marks-contents", "marks-entry",
	"cut-commit", "cut-length", "cut-entries",
	"folder-contents", "folder-entries", "folder-name",
	"unclean", "clean-files", "clean-contents", "clean-name",
	"standing-contents", "standing-entry", "recovered", "recovered-entries",
	"replayed", "kept-body", "kept",
}

func (s syncPromise) String() string { return syncPromiseNames[s] }

// sync makes f durable for the sake of promise. A failed sync is never
// retried (K2): the caller takes the directory offline.
func (d *Dir) sync(f vfs.File, promise syncPromise) error {
	if d.leaveOut != nil && d.leaveOut(promise) {
		return nil
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s (%s): %w", f.Name(), promise, err)
	}
	return nil
}

// syncDir is sync for the entries of a directory.
func (d *Dir) syncDir(dir string, promise syncPromise) error {
	if d.leaveOut != nil && d.leaveOut(promise) {
		return nil
	}
	if err := d.cfg.FS.SyncDir(dir); err != nil {
		return fmt.Errorf("sync directory %s (%s): %w", dir, promise, err)
	}
	return nil
}

// replaceFile makes data the contents of dir/name in one step, durably:
// contents first, then the name.
func (d *Dir) replaceFile(dir, name string, data []byte, contents, entry syncPromise) error {
	if err := d.writeBeside(dir, name, data, contents); err != nil {
		return err
	}
	return d.syncDir(dir, entry)
}

// writeBeside is replaceFile without the directory's sync.
func (d *Dir) writeBeside(dir, name string, data []byte, contents syncPromise) error {
	path := dir + "/" + name
	f, err := d.cfg.FS.Create(path + tmpSuffix)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(data, 0); err == nil {
		err = d.sync(f, contents)
	}
	if err = firstError(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return d.cfg.FS.Rename(path+tmpSuffix, path)
}

// tmpSuffix marks a file that is being written; recovery removes such files.
const tmpSuffix = ".tmp"

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
