package scenario

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/net/transport"
	"github.com/moldau/moldau/sim/fault"
	"github.com/moldau/moldau/sim/world"
)

const (
	operatorWait  = 10 * time.Second // for a connection, and for an answer
	operatorTries = 20
	operatorAgain = 500 * time.Millisecond
	answerMax     = 16 << 20 // bytes
	uncleanType   = 1        // of an election
	groupsTopic   = "__consumer_offsets"
)

// electUnclean does what an operator does when a node has lost a log directory
// and come back: partitions that have no clean leader left are led by what
// there is. It tells the checkers of each, as records may be missing. It gives
// up when stop closes.
func (r *run) electUnclean(n *world.Node, stop <-chan struct{}) {
	for range operatorTries {
		resp, err := r.askElection(n, stop)
		if err == nil && resp.ErrorCode == 0 {
			r.noteElections(resp)
			return
		}
		if !r.world.Sleep(operatorAgain, stop) {
			return
		}
	}
	r.trace("operator", "no election on "+n.Host)
}

func (r *run) askElection(n *world.Node, stop <-chan struct{}) (*kmsg.ElectLeadersResponse, error) {
	conn, err := r.world.Fabric.Join("operator", nil).Dial(n.Address(), operatorWait, stop)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // nothing more is sent
	req := kmsg.NewPtrElectLeadersRequest()
	req.Version, req.ElectionType, req.Topics = 2, uncleanType, nil
	return ask(conn, req)
}

// ask sends one request on a new connection and reads its answer.
func ask(conn transport.Conn, req *kmsg.ElectLeadersRequest) (*kmsg.ElectLeadersResponse, error) {
	if err := conn.SetReadTimeout(operatorWait); err != nil {
		return nil, err
	}
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 5 || n > answerMax {
		return nil, fmt.Errorf("an answer of %d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(conn, body); err != nil {
		return nil, err
	}
	resp := kmsg.NewPtrElectLeadersResponse()
	resp.SetVersion(req.Version)
	return resp, resp.ReadFrom(body[5:]) // correlation id, no tagged fields
}

// resetGroups tells the checkers that groups may have been forgotten.
func (r *run) resetGroups() {
	for _, name := range r.recorder.Groups() {
		r.recorder.Event(history.Event{Kind: history.EventGroupReset, Node: history.Unknown, Name: name})
	}
}

// directoryFaults are those that make a node give a log directory up: after them
// an operator may have to accept that records are missing. Whatever else strikes
// must not bring it to that, and an election then excuses nothing.
var directoryFaults = [...]string{"disk-read-error", "disk-write-error", "disk-sync-error", "disk-name-error", "disk-lost", "disk-full"}

// mayLack reports whether an election may lawfully be of a log that lacks records.
func (r *run) mayLack() bool {
	return r.plan.Lacking || slices.ContainsFunc(r.plan.Faults.Faults, func(f fault.Rated) bool {
		return f.Beyond || slices.Contains(directoryFaults[:], f.Name)
	})
}

// noteElections tells the checkers which partitions were elected uncleanly.
func (r *run) noteElections(resp *kmsg.ElectLeadersResponse) {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				continue // led already
			}
			r.trace("operator", fmt.Sprintf("unclean leader of %s-%d", t.Topic, p.Partition))
			if !r.mayLack() {
				continue
			}
			if t.Topic == groupsTopic {
				r.resetGroups()
			}
			for _, known := range r.recorder.Topics() {
				if known.Spec.Name == t.Topic && !known.Gone() {
					r.recorder.Event(history.Event{Kind: history.EventUnclean, Node: history.Unknown, Topic: known.Text(), Partition: p.Partition})
				}
			}
		}
	}
}
