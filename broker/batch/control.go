package batch

import (
	"encoding/binary"
	"fmt"

	"github.com/moldau/moldau/broker/kafka"
)

// ControlType is the type in a control record's key.
type ControlType int16

// The control records.
const (
	ControlAbort          ControlType = 0
	ControlCommit         ControlType = 1
	ControlLeaderChange   ControlType = 2
	ControlSnapshotHeader ControlType = 3
	ControlSnapshotFooter ControlType = 4
	ControlKRaftVersion   ControlType = 5
	ControlKRaftVoters    ControlType = 6
)

// controlNames are Kafka's names, by number.
var controlNames = [...]string{"ABORT", "COMMIT", "LEADER_CHANGE", "SNAPSHOT_HEADER", "SNAPSHOT_FOOTER", "KRAFT_VERSION", "KRAFT_VOTERS"}

func (t ControlType) String() string {
	if t < 0 || int(t) >= len(controlNames) {
		return fmt.Sprintf("UNKNOWN(%d)", int16(t))
	}
	return controlNames[t]
}

const controlKeyLen = 4

// ControlKey is the key of a control record: version 0 and the type.
func ControlKey(t ControlType) []byte {
	return binary.BigEndian.AppendUint16(make([]byte, 2, controlKeyLen), uint16(t))
}

// ParseControlKey reads a control record's key. Types that are not known are
// returned as they are; a reader passes over them.
func ParseControlKey(key []byte) (ControlType, error) {
	if len(key) < controlKeyLen {
		return 0, corrupt("control record key of %d bytes", len(key))
	}
	if v := int16(binary.BigEndian.Uint16(key)); v < 0 {
		return 0, corrupt("control record key of version %d", v)
	}
	return ControlType(binary.BigEndian.Uint16(key[2:])), nil
}

// Control is a control record's value, by its type: exactly one of the
// pointers is set, or none for a type that is not known.
type Control struct {
	Type           ControlType
	EndTxn         *EndTxnMarker // ABORT, COMMIT
	LeaderChange   *LeaderChange
	SnapshotHeader *SnapshotHeader
	SnapshotFooter *SnapshotFooter
	KRaftVersion   *KRaftVersion
	KRaftVoters    *KRaftVoters
}

// EndTxnMarker ends a transaction of the batch's producer.
type EndTxnMarker struct {
	Version          int16
	CoordinatorEpoch int32
}

// LeaderChange opens an epoch of a KRaft log.
type LeaderChange struct {
	Version        int16 // 1: voters carry directory ids
	LeaderID       int32
	Voters         []LeaderVoter
	GrantingVoters []LeaderVoter
}

// LeaderVoter is a voter in a LeaderChange.
type LeaderVoter struct {
	ID          int32
	DirectoryID kafka.UUID
}

// SnapshotHeader is the first record of a snapshot.
type SnapshotHeader struct {
	Version                   int16
	LastContainedLogTimestamp int64 // wall ms
}

// SnapshotFooter is the last record of a snapshot.
type SnapshotFooter struct{ Version int16 }

// KRaftVersion is the finalized kraft.version (KIP-853).
type KRaftVersion struct {
	Version      int16
	KRaftVersion int16
}

// KRaftVoters is the set of voters (KIP-853).
type KRaftVoters struct {
	Version int16
	Voters  []KRaftVoter
}

// KRaftVoter is one voter, where it listens, and the kraft.version range that it supports.
type KRaftVoter struct {
	ID                     int32
	DirectoryID            kafka.UUID
	Endpoints              []KRaftEndpoint
	MinVersion, MaxVersion int16
}

// KRaftEndpoint is one listener of a voter.
type KRaftEndpoint struct {
	Name, Host string
	Port       uint16
}
