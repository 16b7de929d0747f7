package explore

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// past is what has been shown to the world, and may not be undone.
type past struct {
	// committed are the batches that some high watermark has passed, from
	// offset 0 on.
	committed []entry
	// facts are the batches that were in some log, ascending by epoch and offset.
	facts []fact
	// start is the greatest log start that a DeleteRecords was told.
	start int64
	// undone: an unclean election took something back; the operator allowed it.
	undone bool
}

// fact is a batch and the one before it in its log.
type fact struct {
	offset   int8
	entry    entry
	previous entry
}

func (p *past) clone() *past {
	c := *p
	c.committed, c.facts = slices.Clone(p.committed), slices.Clone(p.facts)
	return &c
}

func (p *past) encode(dst []byte) []byte {
	dst = appendEntries(dst, p.committed)
	dst = append(dst, byte(len(p.facts)), flag(p.undone))
	for _, f := range p.facts {
		dst = append(dst, byte(f.offset), byte(f.entry.epoch), f.entry.value, byte(f.previous.epoch), f.previous.value)
	}
	return binary.AppendVarint(dst, p.start)
}

// observe looks at what a broker holds and shows. It returns what is known
// after that, or what contradicts.
func (p *past) observe(i int, b *broker) (after *past, wrong string) {
	q := p.clone()
	k := &b.disk
	for j, e := range k.log {
		f := fact{offset: int8(k.base) + int8(j), entry: e}
		if j > 0 {
			f.previous = k.log[j-1]
		} else if k.base > 0 {
			continue // what was before is gone
		}
		if wrong := q.learn(f); wrong != "" {
			return nil, fmt.Sprintf("P3: %s has %s", name(i), wrong)
		}
	}
	q.start = max(q.start, b.deleted)
	if !b.up || q.undone {
		return q, ""
	}
	for offset := k.base; offset < b.status.HighWatermark; offset++ {
		e, ok := k.at(offset)
		switch {
		case offset < k.start:
		case !ok:
			return nil, fmt.Sprintf("P2: the high watermark of %s is %d, and offset %d is not there", name(i), b.status.HighWatermark, offset)
		case offset < int64(len(q.committed)) && q.committed[offset] != e:
			return nil, fmt.Sprintf("P1: %s shows %s at offset %d, where %s is committed", name(i), e, offset, q.committed[offset])
		case offset == int64(len(q.committed)):
			q.committed = append(q.committed, e)
		}
	}
	return q, ""
}

// learn takes a fact in, or says what contradicts it.
func (p *past) learn(f fact) (wrong string) {
	for _, g := range p.facts {
		if g.offset != f.offset || g.entry.epoch != f.entry.epoch {
			continue
		}
		switch {
		case g.entry != f.entry:
			return fmt.Sprintf("%s at offset %d, where %s was written in that epoch", f.entry, f.offset, g.entry)
		case g.previous != f.previous:
			return fmt.Sprintf("%s at offset %d after another batch than before", f.entry, f.offset)
		}
		return ""
	}
	at, _ := slices.BinarySearchFunc(p.facts, f, func(a, b fact) int {
		return int(a.entry.epoch)*64 + int(a.offset) - int(b.entry.epoch)*64 - int(b.offset)
	})
	p.facts = slices.Insert(p.facts, at, f)
	return ""
}

// checkLeader says what the elected leader lacks.
func (p *past) checkLeader(i int, b *broker) (wrong string) {
	if p.undone {
		return ""
	}
	for offset, e := range p.committed {
		if int64(offset) < b.disk.start {
			continue // deleted; where nobody asked for that, observe says so
		}
		got, ok := b.disk.at(int64(offset))
		switch {
		case !ok:
			return fmt.Sprintf("P1: %s is elected and lacks %s, which is committed at offset %d", name(i), e, offset)
		case got != e:
			return fmt.Sprintf("P1: %s is elected and has %s at offset %d, where %s is committed", name(i), got, offset, e)
		}
	}
	if b.disk.start < p.start {
		return fmt.Sprintf("P4: %s is elected with the log start %d, and a deletion up to %d was acknowledged", name(i), b.disk.start, p.start)
	}
	return ""
}
