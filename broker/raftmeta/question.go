package raftmeta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moldau/moldau/net/transport"
)

// AnyNode asks whoever is at an address.
const AnyNode = -1

// Question is what a node without a cluster asks a controller listener: who is
// there, and is it in a cluster? It is a preamble to no directory. Nothing else
// comes over its connection.
type Question struct {
	From Peer
	// To is the node that should be there, AnyNode for whoever is.
	To int32
	// Voters are the ids of a new cluster's voters as the asker's configuration
	// names them; empty for a node that joins.
	Voters []int32
}

// Answer is what a controller listener says of itself.
type Answer struct {
	Self Peer
	// ClusterID is empty for a node that has no cluster yet.
	ClusterID string
}

// Answers other than those of preamble.go.
var (
	// ErrOtherNode: the node at the address has another id.
	ErrOtherNode = errors.New("another node is there")
	// ErrOtherVoters: the node's configuration names other voters.
	ErrOtherVoters = errors.New("its controller.quorum.voters are others")
	// ErrSameNode: the node asked for has the asker's own id.
	ErrSameNode = errors.New("it has this node's id")
	// ErrNotReady: the node has no cluster and none is made with the asker.
	ErrNotReady = errors.New("it has no cluster yet")
)

// The answer to a question, big endian:
//
//	status u8 | node i32 | directory 16 | length u8 | cluster id
//
// Status is one of preamble.go's, or one of these; only preambleEmpty and
// preambleMember are followed by the rest.
const (
	preambleEmpty       = 3 // no cluster yet
	preambleMember      = 4 // of the cluster named
	preambleOtherVoters = 5
	preambleSameNode    = 6
	answerFixedLen      = 4 + 16 + 1
)

// votersText is how a question carries the voters: where the cluster id stands
// in another preamble.
func votersText(voters []int32) string {
	sorted := slices.Sorted(slices.Values(voters))
	texts := make([]string, len(sorted))
	for i, id := range sorted {
		texts[i] = strconv.Itoa(int(id))
	}
	return strings.Join(texts, ",")
}

// isQuestion tells a question from a preamble of raft's.
func (p preamble) isQuestion() bool { return p.to.Directory.IsZero() }

// Ask asks the node at an address, within timeout for each step. Closing stop
// ends the dialing.
func Ask(network transport.Network, address string, timeout time.Duration, stop <-chan struct{}, q Question) (a Answer, err error) {
	text := votersText(q.Voters)
	if len(text) > clusterIDBytesMax {
		return a, fmt.Errorf("ask %s: %d voters are too many", address, len(q.Voters))
	}
	conn, err := network.Dial(address, timeout, stop)
	if err != nil {
		return a, fmt.Errorf("ask %s: %w", address, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := errors.Join(conn.SetWriteTimeout(timeout), conn.SetReadTimeout(timeout)); err != nil {
		return a, fmt.Errorf("ask %s: %w", address, err)
	}
	p := preamble{from: q.From, to: Peer{Node: q.To}, clusterID: text}
	if _, err := conn.Write(p.append(nil)); err != nil {
		return a, fmt.Errorf("ask %s: %w", address, err)
	}
	if a, err = readAnswer(conn); err != nil {
		return a, fmt.Errorf("ask %s: %w", address, err)
	}
	return a, nil
}

func readAnswer(r io.Reader) (a Answer, err error) {
	var b [answerFixedLen]byte
	if _, err := io.ReadFull(r, b[:1]); err != nil {
		return a, err
	}
	switch b[0] {
	case preambleEmpty, preambleMember:
	case preambleOtherVoters:
		return a, ErrOtherVoters
	case preambleSameNode:
		return a, ErrSameNode
	case preambleRefused:
		return a, ErrOtherNode
	default:
		return a, ErrNotReady
	}
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return a, err
	}
	a.Self.Node = int32(binary.BigEndian.Uint32(b[:]))
	copy(a.Self.Directory[:], b[4:])
	id := make([]byte, b[20])
	if _, err := io.ReadFull(r, id); err != nil {
		return a, err
	}
	a.ClusterID = string(id)
	return a, nil
}

// append encodes what a node says of itself.
func (a Answer) append(dst []byte) []byte {
	status := byte(preambleEmpty)
	if a.ClusterID != "" {
		status = preambleMember
	}
	dst = append(dst, status)
	dst = binary.BigEndian.AppendUint32(dst, uint32(a.Self.Node))
	dst = append(dst, a.Self.Directory[:]...)
	dst = append(dst, byte(len(a.ClusterID)))
	return append(dst, a.ClusterID...)
}

// readPreamble reads what begins a connection from remote.
func readPreamble(r io.Reader, remote string) (p preamble, err error) {
	b := make([]byte, preambleHeaderLen, preambleBytesMax)
	if _, err := io.ReadFull(r, b); err != nil {
		return p, fmt.Errorf("raft preamble from %s: %w", remote, err)
	}
	rest, err := preambleRest(b)
	if err != nil {
		return p, err
	}
	b = b[:preambleHeaderLen+rest]
	if _, err := io.ReadFull(r, b[preambleHeaderLen:]); err != nil {
		return p, fmt.Errorf("raft preamble from %s: %w", remote, err)
	}
	return parsePreamble(b)
}

// LobbyConfig describes a node that has no cluster yet.
type LobbyConfig struct {
	Self   Peer
	Voters []int32 // as configured; empty for a node that joins
	// Timeout bounds each step of a connection.
	Timeout time.Duration
}

// Lobby takes raft's connections for a node that has no cluster yet: it answers
// questions, and learns the cluster from the first raft connection that means
// this very node and directory.
type Lobby struct {
	cfg   LobbyConfig
	found chan string
}

// NewLobby returns a lobby.
func NewLobby(cfg LobbyConfig) *Lobby { return &Lobby{cfg: cfg, found: make(chan string, 1)} }

// Found receives the id of the cluster that this node was made a voter of.
func (l *Lobby) Found() <-chan string { return l.found }

// Accept takes over a connection whose bytes read so far are first, at least
// four, and closes it. The error says why it was refused.
func (l *Lobby) Accept(conn transport.Conn, first []byte) (err error) {
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetReadTimeout(l.cfg.Timeout); err != nil {
		return err
	}
	p, err := readPreamble(io.MultiReader(bytes.NewReader(first), conn), conn.RemoteAddr())
	if err != nil {
		return err
	}
	reply, err := l.reply(p)
	if e := conn.SetWriteTimeout(l.cfg.Timeout); e == nil {
		_, _ = conn.Write(reply) // who asks, asks again
	}
	return err
}

func (l *Lobby) reply(p preamble) ([]byte, error) {
	switch {
	case !p.isQuestion() && p.to == l.cfg.Self && p.clusterID != "":
		select {
		case l.found <- p.clusterID:
		default: // it is known already
		}
		return []byte{preambleUnavailable}, nil
	case !p.isQuestion():
		return []byte{preambleRefused}, fmt.Errorf("raft connection of %s in cluster %q to %s: this is %s in no cluster",
			p.from, p.clusterID, p.to, l.cfg.Self)
	case p.to.Node != AnyNode && p.to.Node != l.cfg.Self.Node:
		return []byte{preambleRefused}, fmt.Errorf("node %d takes this node, %d, for node %d: see controller.quorum.voters", p.from.Node, l.cfg.Self.Node, p.to.Node)
	case p.from.Node == l.cfg.Self.Node && p.from.Directory != l.cfg.Self.Directory:
		return []byte{preambleSameNode}, fmt.Errorf("another node with this node's id, %d, asks to form a cluster", l.cfg.Self.Node)
	case p.clusterID == "":
		return []byte{preambleUnavailable}, nil
	case p.clusterID != votersText(l.cfg.Voters):
		return []byte{preambleOtherVoters}, fmt.Errorf("node %d names the voters %s, this node %s: see controller.quorum.voters",
			p.from.Node, p.clusterID, votersText(l.cfg.Voters))
	}
	return Answer{Self: l.cfg.Self}.append(nil), nil
}
