package scenario

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/net/transport"
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
// and come back: partitions of which no copy was spared are led by what there is.
// It gives up when stop closes.
func (r *run) electUnclean(n *world.Node, stop <-chan struct{}) {
	for range operatorTries {
		asked := r.losses.without(r.partitions(), r.world.Nodes())
		if len(asked) == 0 {
			return
		}
		resp, err := r.askElection(n, asked, stop)
		if err == nil && resp.ErrorCode == 0 {
			r.traceElections(resp)
			return
		}
		for _, f := range asked {
			r.maybeElected(f)
		}
		if !r.world.Sleep(operatorAgain, stop) {
			return
		}
	}
	r.trace("operator", "no election on "+n.Host)
}

func (r *run) askElection(n *world.Node, asked []folder, stop <-chan struct{}) (*kmsg.ElectLeadersResponse, error) {
	conn, err := r.world.Fabric.Join("operator", nil).Dial(n.Address(), operatorWait, stop)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // nothing more is sent
	req := kmsg.NewPtrElectLeadersRequest()
	req.Version, req.ElectionType = 2, uncleanType
	for _, f := range asked { // sorted by topic
		if i := len(req.Topics); i == 0 || req.Topics[i-1].Topic != f.topic {
			t := kmsg.NewElectLeadersRequestTopic()
			t.Topic = f.topic
			req.Topics = append(req.Topics, t)
		}
		t := &req.Topics[len(req.Topics)-1]
		t.Partitions = append(t.Partitions, f.partition)
	}
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

// traceElections says which partitions the operator's request had elected.
func (r *run) traceElections(resp *kmsg.ElectLeadersResponse) {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode == 0 {
				r.trace("operator", fmt.Sprintf("unclean leader of %s-%d", t.Topic, p.Partition))
			}
		}
	}
}
