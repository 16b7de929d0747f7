package raftmeta

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/hashicorp/raft"
)

// The format of a meta file: one line "moldau-snapshot <version> <crc32c in
// hex of the rest>", then JSON.
const (
	metaVersion  = 1
	metaWord     = "moldau-snapshot"
	metaBytesMax = 1 << 20
)

// snapMeta is what raft must know of a checkpoint.
type snapMeta struct {
	Index              uint64       `json:"index"`
	Term               uint64       `json:"term"`
	ConfigurationIndex uint64       `json:"configurationIndex"`
	Servers            []serverMeta `json:"servers"`
}

type serverMeta struct {
	ID       string `json:"id"`
	Address  string `json:"address"`
	Suffrage string `json:"suffrage"`
}

func (m snapMeta) configuration() (raft.Configuration, error) {
	var c raft.Configuration
	for _, s := range m.Servers {
		server := raft.Server{ID: raft.ServerID(s.ID), Address: raft.ServerAddress(s.Address)}
		switch s.Suffrage {
		case raft.Voter.String():
			server.Suffrage = raft.Voter
		case raft.Nonvoter.String():
			server.Suffrage = raft.Nonvoter
		default:
			return c, fmt.Errorf("suffrage %q of server %s is unknown: %w", s.Suffrage, s.ID, ErrNewerFormat)
		}
		c.Servers = append(c.Servers, server)
	}
	return c, nil
}

func serversOf(c raft.Configuration) []serverMeta {
	servers := make([]serverMeta, 0, len(c.Servers))
	for _, s := range c.Servers {
		servers = append(servers, serverMeta{ID: string(s.ID), Address: string(s.Address), Suffrage: s.Suffrage.String()})
	}
	return servers
}

func (m snapMeta) encode() ([]byte, error) {
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode snapshot's meta: %w", err)
	}
	body = append(body, '\n')
	return append(fmt.Appendf(nil, "%s %d %08x\n", metaWord, metaVersion, crcOf(body)), body...), nil
}

func decodeSnapMeta(b []byte) (m snapMeta, err error) {
	line, body, ok := bytes.Cut(b, []byte{'\n'})
	words := bytes.Split(line, []byte{' '})
	if !ok || len(words) != 3 || string(words[0]) != metaWord {
		return m, fmt.Errorf("snapshot's meta has no first line: %w", ErrDamaged)
	}
	if v, err := strconv.Atoi(string(words[1])); err != nil || v != metaVersion {
		return m, fmt.Errorf("snapshot's meta has format %q, this program knows %d: %w", words[1], metaVersion, ErrNewerFormat)
	}
	if string(words[2]) != fmt.Sprintf("%08x", crcOf(body)) {
		return m, fmt.Errorf("snapshot's meta: checksum: %w", ErrDamaged)
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return m, fmt.Errorf("snapshot's meta: %w: %w", ErrDamaged, err)
	}
	return m, nil
}
