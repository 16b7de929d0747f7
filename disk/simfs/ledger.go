package simfs

import "slices"

// everything is past the end of every file.
const everything = 1 << 62

// span is a range of bytes that one kind of fault damaged, or nobody has synced.
type span struct {
	kind     Kind
	off, end int64
}

// account is what is known of one file.
type account struct {
	damaged  []span // in the order of the damage
	unsynced []span // sorted, not touching each other
}

// ledger has the accounts, by the id of the file. The disk's mu guards it.
type ledger map[uint64]*account

func (l ledger) account(id uint64) *account {
	a := l[id]
	if a == nil {
		a = &account{}
		l[id] = a
	}
	return a
}

// wrote notes bytes that the process wrote or cut off, and has not synced.
func (l ledger) wrote(id uint64, off, n int64) {
	a := l.account(id)
	fresh := span{off: off, end: off + n}
	if last := len(a.unsynced) - 1; last >= 0 && a.unsynced[last].end == off {
		a.unsynced[last].end = fresh.end // the usual append
		return
	}
	var rest []span
	for _, s := range a.unsynced {
		if s.end < fresh.off || s.off > fresh.end {
			rest = append(rest, s)
		} else {
			fresh.off, fresh.end = min(fresh.off, s.off), max(fresh.end, s.end)
		}
	}
	at, _ := slices.BinarySearchFunc(rest, fresh.off, func(s span, off int64) int { return int(s.off>>1 - off>>1) })
	a.unsynced = slices.Insert(rest, at, fresh)
}

// without returns list less the bytes from off to end.
func without(list []span, off, end int64) (left []span) {
	for _, s := range list {
		if s.end <= off || s.off >= end {
			left = append(left, s)
			continue
		}
		if s.off < off {
			left = append(left, span{s.kind, s.off, off})
		}
		if s.end > end {
			left = append(left, span{s.kind, end, s.end})
		}
	}
	return left
}

// synced notes that what was written is on the disk: damage below it is gone.
func (l ledger) synced(id uint64) {
	a := l[id]
	if a == nil {
		return
	}
	for _, u := range a.unsynced {
		a.damaged = without(a.damaged, u.off, u.end)
	}
	a.unsynced = nil
	if len(a.damaged) == 0 {
		delete(l, id)
	}
}

// dropped notes that what was written never gets to the disk, although it can
// still be read.
func (l ledger) dropped(id uint64, kind Kind) {
	if a := l[id]; a != nil {
		for _, u := range a.unsynced {
			a.damaged = append(a.damaged, span{kind, u.off, u.end})
		}
		a.unsynced = nil
	}
}

// damaged notes damage, which no sync of earlier writes heals.
func (l ledger) damaged(id uint64, kind Kind, off, n int64) {
	if n > 0 {
		a := l.account(id)
		a.unsynced = without(a.unsynced, off, off+n)
		a.damaged = append(a.damaged, span{kind, off, off + n})
	}
}

// forgetUnsynced is for a power loss: whether what was written came to the
// disk is open, so it heals nothing.
func (l ledger) forgetUnsynced() {
	for id, a := range l { //det:ok each account for itself
		a.unsynced = nil
		if len(a.damaged) == 0 {
			delete(l, id)
		}
	}
}

// keep forgets files that are gone. Only incarnations that live have them open.
func (l ledger) keep(files map[uint64]bool) {
	for id := range l { //det:ok each account for itself
		if !files[id] {
			delete(l, id)
		}
	}
}

// note changes the ledger, unless the incarnation has crashed: then the
// contents that it changed are nobody's any more.
func (fsys *FS) note(change func(l ledger)) {
	d := fsys.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inner == fsys.inner {
		change(d.ledger)
	}
}
