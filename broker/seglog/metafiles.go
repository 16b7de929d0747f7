package seglog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/moldau/moldau/broker/kafka"
)

// The small files of a log directory and of a partition folder.
const (
	MetaPropertiesFile    = "meta.properties"
	CleanShutdownFile     = ".kafka_cleanshutdown"
	PartitionMetadataFile = "partition.metadata"
	// metaFileLenMax bounds what is parsed of each of them, in bytes.
	metaFileLenMax = 64 << 10
)

// EncodePartitionMetadata encodes partition.metadata.
func EncodePartitionMetadata(topic kafka.UUID) []byte {
	return []byte("version: 0\ntopic_id: " + topic.String())
}

// ParsePartitionMetadata decodes partition.metadata.
func ParsePartitionMetadata(b []byte) (kafka.UUID, error) {
	if len(b) > metaFileLenMax {
		return kafka.UUID{}, fmt.Errorf("partition metadata of %d bytes", len(b))
	}
	lines := strings.Split(strings.TrimRight(string(b), "\r\n"), "\n")
	if len(lines) != 2 {
		return kafka.UUID{}, fmt.Errorf("partition metadata has %d lines, want version and topic_id", len(lines))
	}
	version, okV := strings.CutPrefix(strings.TrimSuffix(lines[0], "\r"), "version:")
	id, okT := strings.CutPrefix(lines[1], "topic_id:")
	if !okV || !okT {
		return kafka.UUID{}, fmt.Errorf("partition metadata: lines %.40q, %.40q: want version and topic_id", lines[0], lines[1])
	}
	if v := strings.TrimSpace(version); v != "0" {
		return kafka.UUID{}, fmt.Errorf("partition metadata has version %.20q, known is 0", v)
	}
	topic, err := kafka.ParseUUID(strings.TrimSpace(id))
	if err != nil {
		return kafka.UUID{}, fmt.Errorf("partition metadata: topic_id: %w", err)
	}
	if topic.IsZero() {
		return kafka.UUID{}, errors.New("partition metadata: topic_id is the reserved zero id")
	}
	return topic, nil
}

// cleanShutdown is the JSON of .kafka_cleanshutdown.
type cleanShutdown struct {
	Version     int    `json:"version"`
	BrokerEpoch *int64 `json:"brokerEpoch"`
}

// EncodeCleanShutdown encodes .kafka_cleanshutdown.
func EncodeCleanShutdown(brokerEpoch int64) []byte {
	return fmt.Appendf(nil, `{"version":0,"brokerEpoch":%d}`, brokerEpoch)
}

// ParseCleanShutdown decodes .kafka_cleanshutdown: the broker epoch of the
// incarnation that stopped cleanly. An empty file, of versions before broker
// epochs were kept, gives -1.
func ParseCleanShutdown(b []byte) (int64, error) {
	if len(b) == 0 {
		return -1, nil
	}
	if len(b) > metaFileLenMax {
		return 0, fmt.Errorf("clean shutdown file of %d bytes", len(b))
	}
	var c cleanShutdown
	if err := json.Unmarshal(b, &c); err != nil {
		return 0, fmt.Errorf("clean shutdown file: %w", err)
	}
	if c.Version != 0 || c.BrokerEpoch == nil {
		return 0, fmt.Errorf("clean shutdown file: version %d with broker epoch present %t, want version 0 with one", c.Version, c.BrokerEpoch != nil)
	}
	return *c.BrokerEpoch, nil
}

// MetaProperties is meta.properties, version 1: who a log directory belongs to.
type MetaProperties struct {
	ClusterID   string
	NodeID      int32
	DirectoryID kafka.UUID // zero when the directory has none yet
}

// Encode encodes meta.properties; nowWall, in ms, dates its comment.
func (m MetaProperties) Encode(nowWall int64) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "#\n#%s\n", time.UnixMilli(nowWall).UTC().Format("Mon Jan 02 15:04:05 UTC 2006"))
	fmt.Fprintf(&b, "cluster.id=%s\n", m.ClusterID)
	if !m.DirectoryID.IsZero() {
		fmt.Fprintf(&b, "directory.id=%s\n", m.DirectoryID)
	}
	fmt.Fprintf(&b, "node.id=%d\nversion=1\n", m.NodeID)
	return []byte(b.String())
}

// ParseMetaProperties decodes meta.properties of version 1. Keys that it does
// not know are skipped, as Kafka does.
func ParseMetaProperties(b []byte) (MetaProperties, error) {
	var m MetaProperties
	p, err := parseProperties(b)
	if err != nil {
		return m, fmt.Errorf("meta.properties: %w", err)
	}
	if v := p["version"]; v != "1" {
		return m, fmt.Errorf("meta.properties: version %.20q, known is 1", v)
	}
	if m.ClusterID = p["cluster.id"]; m.ClusterID == "" {
		return m, errors.New("meta.properties: cluster.id is missing")
	}
	id, err := strconv.ParseInt(p["node.id"], 10, 32)
	if err != nil || id < 0 {
		return m, fmt.Errorf("meta.properties: node.id %.20q is no node id", p["node.id"])
	}
	m.NodeID = int32(id)
	if text, ok := p["directory.id"]; ok {
		if m.DirectoryID, err = kafka.ParseUUID(text); err != nil {
			return m, fmt.Errorf("meta.properties: directory.id: %w", err)
		}
	}
	return m, nil
}

// parseProperties reads Java's properties as far as Kafka writes them into
// meta.properties: comments, key, = or :, value, a backslash before a
// character. Continued lines and unicode escapes are refused.
func parseProperties(b []byte) (map[string]string, error) {
	if len(b) > metaFileLenMax {
		return nil, fmt.Errorf("%d bytes", len(b))
	}
	p := make(map[string]string)
	for text := range strings.Lines(string(b)) {
		text = strings.Trim(text, " \t\f\r\n")
		if text == "" || text[0] == '#' || text[0] == '!' {
			continue
		}
		var parts [2]strings.Builder
		part := 0
		for i := 0; i < len(text); i++ {
			c := text[i]
			switch {
			case c == '\\' && (i+1 == len(text) || text[i+1] == 'u'):
				return nil, fmt.Errorf("line %.60q: unknown escape", text)
			case c == '\\':
				i++
				parts[part].WriteByte(text[i])
			case part == 0 && (c == '=' || c == ':'):
				part = 1
			default:
				parts[part].WriteByte(c)
			}
		}
		key := strings.TrimSpace(parts[0].String())
		if _, twice := p[key]; twice || part == 0 || key == "" {
			return nil, fmt.Errorf("line %.60q: no key and value, or a key named twice", text)
		}
		p[key] = strings.TrimSpace(parts[1].String())
	}
	return p, nil
}
