package controller

import (
	"encoding/binary"
	"hash/fnv"
	"slices"

	"github.com/moldau/moldau/broker/metarecord"
)

// Clone is an independent copy: what is done to one machine does not show in
// the other. They share the entropy source, which draws topic ids.
func (m *Machine) Clone() *Machine {
	c := *m
	c.sessions.list = slices.Clone(m.sessions.list)
	c.policies, c.policyImage = nil, nil
	return &c
}

// Fingerprint is equal for machines that will decide alike from now on, and
// differs for others but for a collision of 64 bits. Offsets, epochs and times
// count as they are.
func (m *Machine) Fingerprint() uint64 {
	h := fnv.New64a()
	var buf []byte
	put := func(v int64) { buf = binary.AppendVarint(buf, v) }
	flag := func(v bool) {
		if v {
			put(1)
		} else {
			put(0)
		}
	}
	flag(m.active)
	put(m.img.Offset())
	put(int64(m.epoch))
	put(int64(m.rng.state))
	put(int64(m.tickDue))
	put(int64(m.nextRebalance))
	put(int64(m.nextReassign))
	for i := range m.sessions.list {
		s := &m.sessions.list[i]
		for _, v := range []int64{int64(s.id), s.epoch, int64(s.heard), int64(s.gone), s.offset, s.shutdownOffset, int64(len(s.stalled))} {
			put(v)
		}
		flag(s.isGone)
		flag(s.told)
		for _, d := range s.stalled {
			buf = append(buf, d[:]...)
		}
	}
	flag(m.img.InTransaction())
	if !m.img.InTransaction() {
		for r := range m.img.Records() {
			buf = metarecord.Encode(buf, r, r.Type().MaxVersion())
		}
	}
	h.Write(buf)
	return h.Sum64()
}
