package simfs

import (
	"errors"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/internal/invariant"
	"github.com/moldau/moldau/internal/simcore"
)

// ErrIO is what a disk answers that fails (EIO).
var ErrIO = errors.New("input/output error")

// capacityDefaultBytes is the size of a disk unless Config says so.
const capacityDefaultBytes = 1 << 40

// Config says what a Disk is made of.
type Config struct {
	// Node is the name in marks and in the atlas.
	Node     string
	Timebase simcore.Timebase
	// Streams are this disk's alone.
	Streams simcore.Streams
	// Marks may be nil. It gets one counter a fault, "disk.<fault>".
	Marks *simcore.Marks
	// Atlas may be nil: then no damage that takes a copy is inflicted.
	Atlas *Atlas
	// Clock tells modification times; nil leaves them zero. It must not be an
	// incarnation's.
	Clock clock.Clock
	// CapacityBytes is the size; zero is 1 TiB.
	CapacityBytes int64
	// SyncLatency is what a sync takes when nothing is wrong.
	SyncLatency time.Duration
}

// Shares are probabilities from 0 to 1, by the kind of fault.
type Shares [kinds]float64

// Faults says what may happen to which calls. What is zero does nothing.
type Faults struct {
	// Match picks the files and directories by their names as the caller gave
	// them; nil picks all.
	Match func(name string) bool
	// Share of the calls that each fault hits.
	Share Shares
	// Latency of every read and write, SyncLatency of every sync.
	Latency, SyncLatency time.Duration
	// SlowMax bounds what a Slow call takes.
	SlowMax time.Duration
}

// Disk is the storage of a node's machine. Make it with New. All methods may
// be called concurrently, from outside the simulated nodes.
type Disk struct {
	config Config
	base   simcore.Timebase
	crash  *rand.Rand // used under mu
	marks  diskMarks

	active atomic.Bool // some fault may hit

	mu       sync.Mutex
	inner    *memfs.FS
	mounted  *FS
	faults   Faults
	draw     [kinds]*rand.Rand
	once     []*once
	hangs    []*hang
	lostDirs []string // clean
	gone     []string // clean: empty where data should be, until Recovered
	ledger   ledger
	lands    func(name string) bool // where the misdirected write that hit last may land
}

// diskMarks are the counters.
type diskMarks struct {
	kind                [kinds]*simcore.Counter
	hang, full, lostDir *simcore.Counter
	replaced, kept      *simcore.Counter
}

// once is a fault that waits for a call.
type once struct {
	kind  Kind
	match func(name string) bool
	onto  func(name string) bool // where a misdirected write lands
}

// hang holds calls.
type hang struct {
	match   func(name string) bool
	release chan struct{}
}

// New returns an empty disk without faults.
func New(config Config) *Disk {
	invariant.Check(config.Timebase != nil && config.CapacityBytes >= 0, "simulated disk without a timebase or of %d bytes", config.CapacityBytes)
	if config.CapacityBytes == 0 {
		config.CapacityBytes = capacityDefaultBytes
	}
	d := &Disk{
		config: config, base: config.Timebase, inner: memfs.New(), ledger: ledger{},
		crash: config.Streams.Stream("disk.crash"),
	}
	for k := range kinds {
		d.draw[k] = config.Streams.Stream("disk." + k.String())
		d.marks.kind[k] = config.Marks.Counter("disk." + k.String())
	}
	d.marks.hang = config.Marks.Counter("disk.hang")
	d.marks.full = config.Marks.Counter("disk.full")
	d.marks.lostDir = config.Marks.Counter("disk.lostdir")
	d.marks.replaced = config.Marks.Counter("disk.replaced")
	d.marks.kept = config.Marks.Counter("disk.kept")
	d.inner.SetCapacity(config.CapacityBytes)
	d.refresh()
	if config.Clock != nil {
		d.inner.SetClock(config.Clock)
	}
	if config.Atlas != nil {
		config.Atlas.add(d)
	}
	return d
}

// Mount returns the disk as an incarnation sees it. A crash of its fence
// leaves what that kind of crash leaves. A nil fence never falls.
func (d *Disk) Mount(fence *simcore.Fence) *FS {
	d.mu.Lock()
	fsys := &FS{disk: d, fence: fence, inner: d.inner}
	d.mounted = fsys
	d.mu.Unlock()
	fence.OnCrash(func(how simcore.Ending) { d.crashed(fsys, how) })
	return fsys
}

func (d *Disk) crashed(fsys *FS, how simcore.Ending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mounted != fsys {
		return
	}
	d.mounted = nil
	if how == simcore.PowerLoss {
		d.inner = d.inner.CrashClone(d.crash)
		d.ledger.forgetUnsynced()
	} else {
		d.inner = d.inner.Clone()
	}
	files := map[uint64]bool{}
	d.inner.Files(func(_ string, id uint64, _ int64) { files[id] = true })
	d.ledger.keep(files)
}

// Peek returns the contents as they are now, for checkers that read them
// without faults. It must not be written to.
func (d *Disk) Peek() *memfs.FS {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inner
}

// SetFaults says what may happen to calls from now on.
func (d *Disk) SetFaults(faults Faults) {
	for k, share := range faults.Share {
		invariant.Check(share >= 0 && share <= 1, "share %v of %v", share, Kind(k))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = faults
	d.refresh()
}

// Once lets a fault hit the next call that it fits, on a name that match
// picks; a nil match picks all. The atlas is not asked. cancel takes it back, if
// it has not hit yet.
func (d *Disk) Once(kind Kind, match func(name string) bool) (cancel func()) {
	return d.OnceOnto(kind, match, nil)
}

// OnceOnto is Once, and a misdirected write lands in a file that onto picks by its
// absolute name; a nil onto picks all.
func (d *Disk) OnceOnto(kind Kind, match, onto func(name string) bool) (cancel func()) {
	invariant.Check(kind >= 0 && kind < kinds, "fault of kind %d", kind)
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting := &once{kind, match, onto}
	d.once = append(d.once, waiting)
	d.refresh()
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.once = slices.DeleteFunc(d.once, func(o *once) bool { return o == waiting })
		d.refresh()
	}
}

// Hang holds all calls on names that match picks, all if it is nil, until
// release is called. They then go on as if nothing had been.
func (d *Disk) Hang(match func(name string) bool) (release func()) {
	h := &hang{match, make(chan struct{})}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hangs = append(d.hangs, h)
	d.refresh()
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if i := slices.Index(d.hangs, h); i >= 0 {
			d.hangs = slices.Delete(d.hangs, i, i+1)
			close(h.release)
			d.refresh()
		}
	}
}

// Fill leaves extra bytes free, in whole pages of 4 KiB: beyond, writes and
// new files fail with vfs.ErrNoSpace.
func (d *Disk) Fill(extraBytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	usage, err := d.inner.Usage("/")
	invariant.Check(err == nil, "usage of a disk: %v", err)
	d.inner.SetCapacity(usage.Total - usage.Free + extraBytes)
	d.refresh()
}

// Relieve ends Fill.
func (d *Disk) Relieve() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inner.SetCapacity(d.config.CapacityBytes)
	d.refresh()
}

// LoseDir fails every call below a directory with ErrIO, as if its disk were
// unplugged, until ReturnDir.
func (d *Disk) LoseDir(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lostDirs = append(d.lostDirs, clean(dir))
	d.refresh()
}

// ReturnDir ends LoseDir; the contents are those of before.
func (d *Disk) ReturnDir(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lostDirs = slices.DeleteFunc(d.lostDirs, func(lost string) bool { return lost == clean(dir) })
	d.refresh()
}

// Replace puts an empty disk in the place of a directory, durably, and ends
// LoseDir for it. No incarnation is to be mounted. The atlas has the directory
// as gone until Recovered.
func (d *Disk) Replace(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := clean(dir)
	err := errors.Join(d.inner.RemoveAll(at), d.inner.MkdirAll(at))
	for ; err == nil; at = path.Dir(at) {
		if err = d.inner.SyncDir(at); at == "/" { // a new disk is what it is
			break
		}
	}
	d.lostDirs = slices.DeleteFunc(d.lostDirs, func(lost string) bool { return lost == clean(dir) })
	if !slices.Contains(d.gone, clean(dir)) {
		d.gone = append(d.gone, clean(dir))
	}
	d.marks.replaced.Hit(d.config.Node + ":" + dir)
	d.refresh()
	return err
}

// Recovered says that a directory which was replaced has its data again, from
// the other copies.
func (d *Disk) Recovered(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = slices.DeleteFunc(d.gone, func(gone string) bool { return gone == clean(dir) })
}

// Heal ends all faults but damage that is done: rates, faults that wait,
// hangs, lost directories, and a full disk.
func (d *Disk) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults, d.once, d.lostDirs = Faults{}, nil, nil
	for _, h := range d.hangs {
		close(h.release)
	}
	d.hangs = nil
	d.inner.SetCapacity(d.config.CapacityBytes)
	d.refresh()
}

// refresh finds out whether any fault may hit. The caller holds mu.
func (d *Disk) refresh() {
	quiet := len(d.once) == 0 && len(d.hangs) == 0 && len(d.lostDirs) == 0 &&
		d.faults.Share == Shares{} && d.faults.Latency == 0 && max(d.faults.SyncLatency, d.config.SyncLatency) == 0
	d.active.Store(!quiet)
}

// clean returns the absolute form of a name.
func clean(name string) string { return path.Clean("/" + name) }

// below reports whether a name is a directory or lies below it; both are clean.
func below(name, dir string) bool {
	return name == dir || dir == "/" || (strings.HasPrefix(name, dir) && name[len(dir)] == '/')
}
