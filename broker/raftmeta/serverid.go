package raftmeta

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/broker/kafka"
)

// ServerID names a raft server: its node id and its metadata directory's id,
// so that a node whose disk was wiped is another server.
func ServerID(node int32, directory kafka.UUID) raft.ServerID {
	return raft.ServerID(strconv.Itoa(int(node)) + "-" + directory.String())
}

// ParseServerID is the reverse of ServerID.
func ParseServerID(id raft.ServerID) (node int32, directory kafka.UUID, err error) {
	number, text, ok := strings.Cut(string(id), "-")
	n, err := strconv.ParseInt(number, 10, 32)
	if !ok || err != nil || n < 0 {
		return 0, directory, fmt.Errorf("%q is no raft server id", id)
	}
	if directory, err = kafka.ParseUUID(text); err != nil {
		return 0, directory, fmt.Errorf("raft server id: %w", err)
	}
	return int32(n), directory, nil
}
