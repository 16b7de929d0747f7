package simfs

import (
	"slices"
	"time"

	"github.com/moldau/moldau/internal/simcore"
)

// fits reports whether match picks a name; nil picks all.
func fits(match func(name string) bool, name string) bool { return match == nil || match(name) }

// begin lets a call wait as the faults say, and fails it if its directory is
// lost. The disk's mu is not held.
func (fsys *FS) begin(op simcore.Op, name string) error {
	fsys.fence.Enter(op, name)
	d := fsys.disk
	if !d.active.Load() {
		return nil
	}
	delay, held := d.waits(op, name)
	if held != nil {
		d.marks.hang.Hit(d.config.Node + ":" + name)
		fsys.fence.Wait(held)
	}
	if delay > 0 {
		fsys.fence.Sleep(d.base, delay, nil)
	}
	if d.isLost(name) {
		d.marks.lostDir.Hit(d.config.Node + ":" + name)
		return ErrIO
	}
	return nil
}

// waits returns how long a call takes, and what holds it.
func (d *Disk) waits(op simcore.Op, name string) (delay time.Duration, held chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.hangs {
		if fits(h.match, name) {
			held = h.release
			break
		}
	}
	if op == OpSync || op == OpSyncDir {
		delay = d.config.SyncLatency
	}
	if fits(d.faults.Match, name) {
		switch op {
		case OpRead, OpWrite:
			delay = d.faults.Latency
		case OpSync, OpSyncDir:
			delay = max(delay, d.faults.SyncLatency)
		}
	}
	if d.draws(Slow, name) && d.faults.SlowMax > 0 {
		delay += time.Duration(d.draw[Slow].Int64N(int64(d.faults.SlowMax)) + 1)
		d.marks.kind[Slow].Add()
	}
	return delay, held
}

func (d *Disk) isLost(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.lostDirs, func(dir string) bool { return below(clean(name), dir) })
}

// draws decides whether a fault hits a call. The caller holds mu.
func (d *Disk) draws(kind Kind, name string) bool {
	for i, o := range d.once {
		if o.kind == kind && fits(o.match, name) {
			d.once = slices.Delete(d.once, i, i+1)
			if kind == Misdirect {
				d.lands = o.onto
			}
			d.refresh()
			return true
		}
	}
	share := d.faults.Share[kind]
	if share == 0 || !fits(d.faults.Match, name) || d.draw[kind].Float64() >= share {
		return false
	}
	if kind == Misdirect {
		d.lands = nil
	}
	return true
}

// strikes is draws with the atlas asked first where a copy is taken. The
// caller does not hold mu.
func (d *Disk) strikes(kind Kind, name string) bool {
	if !d.active.Load() {
		return false
	}
	d.mu.Lock()
	armed := len(d.once)
	hit := d.draws(kind, name)
	asked := hit && len(d.once) == armed && kind.TakesCopy()
	d.mu.Unlock()
	if asked && !d.config.Atlas.Allows(d.config.Node, name) {
		d.marks.kept.Add()
		return false
	}
	return hit
}

// hit marks a fault.
func (d *Disk) hit(kind Kind, name string) { d.marks.kind[kind].Hit(d.config.Node + ":" + name) }

// number draws below n from a fault's stream.
func (d *Disk) number(kind Kind, n int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.draw[kind].Int64N(n)
}
