package batch

import (
	"encoding/binary"

	"github.com/moldau/moldau/broker/kafka"
)

// Value encodes the control record's value.
func (c *Control) Value() []byte {
	be := binary.BigEndian
	switch {
	case c.EndTxn != nil:
		return be.AppendUint32(be.AppendUint16(nil, uint16(c.EndTxn.Version)), uint32(c.EndTxn.CoordinatorEpoch))
	case c.LeaderChange != nil:
		return c.LeaderChange.value()
	case c.SnapshotHeader != nil:
		b := be.AppendUint16(nil, uint16(c.SnapshotHeader.Version))
		return append(be.AppendUint64(b, uint64(c.SnapshotHeader.LastContainedLogTimestamp)), 0)
	case c.SnapshotFooter != nil:
		return append(be.AppendUint16(nil, uint16(c.SnapshotFooter.Version)), 0)
	case c.KRaftVersion != nil:
		b := be.AppendUint16(nil, uint16(c.KRaftVersion.Version))
		return append(be.AppendUint16(b, uint16(c.KRaftVersion.KRaftVersion)), 0)
	case c.KRaftVoters != nil:
		return c.KRaftVoters.value()
	}
	return nil
}

func (m *LeaderChange) value() []byte {
	be := binary.BigEndian
	b := be.AppendUint32(be.AppendUint16(nil, uint16(m.Version)), uint32(m.LeaderID))
	for _, voters := range [2][]LeaderVoter{m.Voters, m.GrantingVoters} {
		b = binary.AppendUvarint(b, uint64(len(voters))+1)
		for _, v := range voters {
			b = be.AppendUint32(b, uint32(v.ID))
			if m.Version >= 1 {
				b = append(b, v.DirectoryID[:]...)
			}
			b = append(b, 0)
		}
	}
	return append(b, 0)
}

func (m *KRaftVoters) value() []byte {
	be := binary.BigEndian
	b := be.AppendUint16(nil, uint16(m.Version))
	b = binary.AppendUvarint(b, uint64(len(m.Voters))+1)
	for _, v := range m.Voters {
		b = append(be.AppendUint32(b, uint32(v.ID)), v.DirectoryID[:]...)
		b = binary.AppendUvarint(b, uint64(len(v.Endpoints))+1)
		for _, e := range v.Endpoints {
			b = append(binary.AppendUvarint(b, uint64(len(e.Name))+1), e.Name...)
			b = append(binary.AppendUvarint(b, uint64(len(e.Host))+1), e.Host...)
			b = append(be.AppendUint16(b, e.Port), 0)
		}
		b = be.AppendUint16(be.AppendUint16(b, uint16(v.MinVersion)), uint16(v.MaxVersion))
		b = append(b, 0, 0)
	}
	return append(b, 0)
}

// ParseControl reads a control record. Tagged fields, and bytes after what is
// known of an end-transaction marker, are passed over, as in Kafka.
func ParseControl(key, value []byte) (Control, error) {
	t, err := ParseControlKey(key)
	if err != nil {
		return Control{}, err
	}
	c := Control{Type: t}
	d := controlReader{b: value}
	version := d.int16()
	switch t {
	case ControlAbort, ControlCommit:
		c.EndTxn = &EndTxnMarker{Version: version, CoordinatorEpoch: d.int32()}
	case ControlLeaderChange:
		c.LeaderChange = &LeaderChange{Version: version, LeaderID: d.int32()}
		c.LeaderChange.Voters = d.voters(version)
		c.LeaderChange.GrantingVoters = d.voters(version)
	case ControlSnapshotHeader:
		c.SnapshotHeader = &SnapshotHeader{Version: version, LastContainedLogTimestamp: d.int64()}
	case ControlSnapshotFooter:
		c.SnapshotFooter = &SnapshotFooter{Version: version}
	case ControlKRaftVersion:
		c.KRaftVersion = &KRaftVersion{Version: version, KRaftVersion: d.int16()}
	case ControlKRaftVoters:
		c.KRaftVoters = &KRaftVoters{Version: version, Voters: d.kraftVoters()}
	default:
		return c, nil
	}
	if t >= ControlLeaderChange {
		d.tags()
	}
	if d.short {
		return Control{}, corrupt("%s control record of %d bytes", t, len(value))
	}
	return c, nil
}

// controlReader reads the flexible encoding; short is set, and everything
// after reads as zero, when the bytes end early.
type controlReader struct {
	b     []byte
	short bool
}

func (d *controlReader) take(n int) []byte {
	if d.short || n < 0 || n > len(d.b) {
		d.short = true
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *controlReader) int16() (v int16) {
	if b := d.take(2); b != nil {
		v = int16(binary.BigEndian.Uint16(b))
	}
	return v
}

func (d *controlReader) int32() (v int32) {
	if b := d.take(4); b != nil {
		v = int32(binary.BigEndian.Uint32(b))
	}
	return v
}

func (d *controlReader) int64() (v int64) {
	if b := d.take(8); b != nil {
		v = int64(binary.BigEndian.Uint64(b))
	}
	return v
}

func (d *controlReader) uuid() (u kafka.UUID) {
	copy(u[:], d.take(len(u)))
	return u
}

// length reads an unsigned varint and refuses what the bytes left cannot hold.
func (d *controlReader) length() int {
	u, n := binary.Uvarint(d.b)
	if n <= 0 || u > uint64(len(d.b)) {
		d.short = true
		return 0
	}
	d.b = d.b[n:]
	return int(u)
}

// count reads a compact array's length, for elements of at least size bytes.
func (d *controlReader) count(size int) int {
	n := max(d.length()-1, 0)
	if n > len(d.b)/size {
		d.short = true
		return 0
	}
	return n
}

func (d *controlReader) text() string { return string(d.take(max(d.length()-1, 0))) }

func (d *controlReader) tags() {
	for n := d.length(); n > 0 && !d.short; n-- {
		d.tagNumber()
		d.take(d.length())
	}
}

func (d *controlReader) tagNumber() {
	_, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.short = true
		return
	}
	d.b = d.b[n:]
}

func (d *controlReader) voters(version int16) []LeaderVoter {
	size := 5
	if version >= 1 {
		size += len(kafka.UUID{})
	}
	var voters []LeaderVoter
	for n := d.count(size); n > 0 && !d.short; n-- {
		v := LeaderVoter{ID: d.int32()}
		if version >= 1 {
			v.DirectoryID = d.uuid()
		}
		d.tags()
		voters = append(voters, v)
	}
	return voters
}

func (d *controlReader) kraftVoters() []KRaftVoter {
	const voterLenMin = 4 + 16 + 1 + 5 + 1
	var voters []KRaftVoter
	for n := d.count(voterLenMin); n > 0 && !d.short; n-- {
		v := KRaftVoter{ID: d.int32(), DirectoryID: d.uuid()}
		const endpointLenMin = 5
		for e := d.count(endpointLenMin); e > 0 && !d.short; e-- {
			v.Endpoints = append(v.Endpoints, KRaftEndpoint{Name: d.text(), Host: d.text(), Port: uint16(d.int16())})
			d.tags()
		}
		v.MinVersion, v.MaxVersion = d.int16(), d.int16()
		d.tags()
		d.tags()
		voters = append(voters, v)
	}
	return voters
}
