package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/vfs"
)

// Names of the files.
const (
	PropertiesName = "meta.properties"  // Kafka's: cluster, node and directory
	DirectoryName  = "moldau.directory" // ours: the directory id before the cluster id is known
)

// propertiesBytesMax bounds both files, bytes.
const propertiesBytesMax = 64 << 10

// propertiesVersion is Kafka's version of meta.properties in KRaft mode.
const propertiesVersion = 1

// directoryVersion is the version of moldau.directory.
const directoryVersion = 1

// Properties are the contents of meta.properties.
type Properties struct {
	ClusterID   string
	NodeID      int32
	DirectoryID kafka.UUID // zero in files of Kafka before 3.7
}

// Encode is the file's text.
func (p Properties) Encode() []byte {
	return fmt.Appendf(nil, "version=%d\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n",
		propertiesVersion, p.ClusterID, p.NodeID, p.DirectoryID)
}

// ParseProperties reads the text of a meta.properties file.
func ParseProperties(text []byte) (p Properties, err error) {
	values, err := parseLines(text)
	if err != nil {
		return p, err
	}
	if v := values["version"]; v != strconv.Itoa(propertiesVersion) {
		return p, fmt.Errorf("version %q: only version %d is known (a cluster with KRaft)", v, propertiesVersion)
	}
	node, err := strconv.ParseInt(values["node.id"], 10, 32)
	if err != nil || node < 0 {
		return p, fmt.Errorf("node.id %q is no node id", values["node.id"])
	}
	if p.ClusterID = values["cluster.id"]; p.ClusterID == "" {
		return p, errors.New("cluster.id is missing")
	}
	p.NodeID = int32(node)
	if text, ok := values["directory.id"]; ok {
		if p.DirectoryID, err = kafka.ParseUUID(text); err != nil {
			return p, fmt.Errorf("directory.id: %w", err)
		}
	}
	return p, nil
}

// parseLines reads the simple form of Java properties that these files have.
func parseLines(text []byte) (map[string]string, error) {
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("line %q has no '='", line)
		}
		values[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return values, nil
}

// readProperties reads dir's meta.properties; ok is false when there is none.
func readProperties(fsys vfs.FS, dir string) (p Properties, ok bool, err error) {
	text, err := vfs.ReadFile(fsys, dir+"/"+PropertiesName, propertiesBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("read %s/%s: %w", dir, PropertiesName, err)
	}
	if p, err = ParseProperties(text); err != nil {
		return p, false, fmt.Errorf("%s/%s: %w", dir, PropertiesName, err)
	}
	return p, true, nil
}

// readDirectory reads dir's moldau.directory; ok is false when there is none.
func readDirectory(fsys vfs.FS, dir string) (id kafka.UUID, ok bool, err error) {
	text, err := vfs.ReadFile(fsys, dir+"/"+DirectoryName, propertiesBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return id, false, nil
	}
	if err != nil {
		return id, false, fmt.Errorf("read %s/%s: %w", dir, DirectoryName, err)
	}
	values, err := parseLines(text)
	if err == nil && values["version"] != strconv.Itoa(directoryVersion) {
		err = fmt.Errorf("version %q, this program knows %d", values["version"], directoryVersion)
	}
	if err == nil {
		id, err = kafka.ParseUUID(values["directory.id"])
	}
	if err != nil {
		return id, false, fmt.Errorf("%s/%s: %w", dir, DirectoryName, err)
	}
	return id, true, nil
}

// DirectoryID is the durable id of dir, drawn and written to moldau.directory
// if it has none yet. It is for nodes that tell it to others before they know
// their cluster.
func DirectoryID(cfg Config, dir string) (kafka.UUID, error) {
	if p, ok, err := readProperties(cfg.FS, dir); err != nil || ok {
		return p.DirectoryID, err
	}
	if id, ok, err := readDirectory(cfg.FS, dir); err != nil || ok {
		return id, err
	}
	if err := anchor(cfg.FS, dir); err != nil {
		return kafka.UUID{}, err
	}
	id := kafka.NewUUID(cfg.Entropy)
	text := fmt.Appendf(nil, "version=%d\ndirectory.id=%s\n", directoryVersion, id)
	// Promise: the id that others are told is that of this directory for good.
	if err := vfs.ReplaceFile(cfg.FS, dir, DirectoryName, text); err != nil {
		return id, fmt.Errorf("write %s/%s: %w", dir, DirectoryName, err)
	}
	return id, nil
}
