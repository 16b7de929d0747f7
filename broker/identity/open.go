package identity

import (
	"errors"
	"fmt"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/raftmeta"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/disk/vfs"
)

// ErrRefused marks a start that the rules forbid: the message says why and what
// to do. Tested with errors.Is.
var ErrRefused = errors.New("start refused")

// Config says which node looks at which directories.
type Config struct {
	FS      vfs.FS
	Entropy clock.Entropy
	NodeID  int32
	// LogDirs are the log directories in the order of the configuration.
	LogDirs []string
	// MetadataDir is the one among them, or another, that holds the metadata log.
	MetadataDir string
	// Controller: this node votes, or may be made a voter, so it keeps raft's files.
	Controller bool
	// Told: the metadata directory's id is told to other nodes before the
	// cluster is known, so that it must be durable first.
	Told bool
}

// Directory is a log directory and its identity.
type Directory struct {
	Path string
	ID   kafka.UUID // zero when Offline
	// Offline is why the directory cannot be used, nil otherwise. Only its
	// partitions suffer.
	Offline error
}

// Identity is who this node is.
type Identity struct {
	ClusterID string
	NodeID    int32
	// Metadata is the metadata directory's id.
	Metadata kafka.UUID
	// Directories are those of Config.LogDirs, in their order.
	Directories []Directory
	// First: this is the node's first start.
	First bool
}

// Open finds out who the node is. On a first start it draws the identities,
// asks cluster for the id of the node's cluster, and writes meta.properties only
// then: whatever else a first start needs (raft's first configuration, say) is
// durable when cluster returns. It gets an identity with an id of a new cluster,
// for the node that makes it. Directories that are new to a known node are
// given an id. What the rules forbid fails with ErrRefused.
func Open(cfg Config, cluster func(Identity) (clusterID string, err error)) (Identity, error) {
	if cfg.FS == nil || cfg.Entropy == nil || len(cfg.LogDirs) == 0 || cfg.MetadataDir == "" {
		return Identity{}, errors.New("identity: file system, entropy or directories are missing")
	}
	dirs, meta := surveyAll(cfg)
	if meta.offline != nil {
		return Identity{}, fmt.Errorf("metadata log directory: %w", meta.offline)
	}
	if err := refuseForeign(dirs); err != nil {
		return Identity{}, err
	}
	id, err := agree(cfg, dirs)
	if err != nil {
		return Identity{}, err
	}
	switch {
	case meta.hasProps && cfg.Controller && !meta.raft:
		return Identity{}, refuse("%s names node %d of cluster %s, but its metadata log is gone: "+
			"if the cluster has other controllers, empty the directory, start the node and take it back with 'moldau cluster quorum replace %d'",
			meta.path+"/"+PropertiesName, id.NodeID, id.ClusterID, id.NodeID)
	case !meta.hasProps && meta.raft:
		if err := beginAnew(cfg, dirs, meta); err != nil {
			return Identity{}, err
		}
		fallthrough
	case !meta.hasProps && id.ClusterID == "":
		id, err = first(cfg, dirs, cluster)
	case !meta.hasProps && cfg.Controller:
		err = refuse("%s is missing, other log directories belong to node %d of cluster %s",
			meta.path+"/"+PropertiesName, id.NodeID, id.ClusterID)
	}
	if err != nil {
		return Identity{}, err
	}
	return complete(cfg, dirs, id)
}

// surveyAll looks at every directory; the metadata directory comes first.
func surveyAll(cfg Config) (dirs []found, meta *found) {
	dirs = append(dirs, survey(cfg.FS, cfg.MetadataDir))
	for _, path := range cfg.LogDirs {
		if path != cfg.MetadataDir {
			dirs = append(dirs, survey(cfg.FS, path))
		}
	}
	return dirs, &dirs[0]
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// Foreign refuses, as Open does, directories that Apache Kafka has used. It
// writes nothing, so that a node can ask before it leaves a lock there.
func Foreign(cfg Config) error {
	dirs, _ := surveyAll(cfg)
	return refuseForeign(dirs)
}

// refuseForeign refuses directories that Apache Kafka has used, also after
// Moldau: its metadata log would contradict ours.
func refuseForeign(dirs []found) error {
	for _, d := range dirs {
		if d.foreign != "" {
			return refuse("%s holds a metadata log of Apache Kafka (%s); taking over such a directory is not supported yet",
				d.path, d.foreign)
		}
		if d.hasProps && d.properties.DirectoryID.IsZero() {
			return refuse("%s/%s has no directory.id: it was written by Apache Kafka before 3.7; taking over such a directory is not supported yet",
				d.path, PropertiesName)
		}
	}
	return nil
}

// agree takes the identity from the directories that have one.
func agree(cfg Config, dirs []found) (id Identity, err error) {
	id.NodeID = cfg.NodeID
	from, owners := "", map[kafka.UUID]string{}
	for _, d := range dirs {
		if !d.hasProps {
			continue
		}
		p := d.properties
		if p.NodeID != cfg.NodeID {
			return id, refuse("%s belongs to node %d, this is node %d", d.path, p.NodeID, cfg.NodeID)
		}
		if id.ClusterID != "" && p.ClusterID != id.ClusterID {
			return id, refuse("%s belongs to cluster %s, %s to cluster %s", from, id.ClusterID, d.path, p.ClusterID)
		}
		if other, ok := owners[p.DirectoryID]; ok {
			return id, refuse("%s and %s have the same directory.id %s: one is a copy of the other", other, d.path, p.DirectoryID)
		}
		owners[p.DirectoryID] = d.path
		if from == "" {
			from, id.ClusterID = d.path, p.ClusterID
		}
	}
	return id, nil
}

// beginAnew clears the way for another first start where one was cut short
// before anything was promised.
func beginAnew(cfg Config, dirs []found, meta *found) error {
	missing := meta.path + "/" + PropertiesName
	for _, d := range dirs {
		if d.partition != "" || d.hasProps {
			return refuse("%s is missing, but %s is in use: restore it from a copy", missing, d.path)
		}
	}
	only, err := onlyBootstrap(cfg, meta.path)
	if err != nil {
		return fmt.Errorf("%s is missing: %w", missing, err)
	}
	if !only {
		return refuse("%s is missing, but the metadata log beside it is in use: restore it from a copy", missing)
	}
	return raftmeta.Erase(cfg.FS, meta.path)
}

func onlyBootstrap(cfg Config, dir string) (only bool, err error) {
	st, err := raftmeta.OpenStore(raftmeta.StoreConfig{FS: cfg.FS, Clock: stopped{}, LogDir: dir})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return st.OnlyBootstrap(), nil
}

// first draws the identities of a node that has none, and finds its cluster.
func first(cfg Config, dirs []found, cluster func(Identity) (string, error)) (Identity, error) {
	for _, d := range dirs {
		if d.partition != "" {
			return Identity{}, refuse("%s/%s is missing, but partition folder %s is there: restore it from a copy",
				d.path, PropertiesName, d.partition)
		}
	}
	directory, err := firstDirectoryID(cfg)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{ClusterID: kafka.NewUUID(cfg.Entropy).String(), NodeID: cfg.NodeID, Metadata: directory, First: true}
	if id.ClusterID, err = cluster(id); err != nil {
		return Identity{}, err
	}
	err = writeProperties(cfg, &dirs[0], id.ClusterID, directory)
	return id, err
}

// firstDirectoryID is the metadata directory's id: the one that was told to
// others already, or a new one.
func firstDirectoryID(cfg Config) (kafka.UUID, error) {
	if cfg.Told {
		return DirectoryID(cfg, cfg.MetadataDir)
	}
	if id, ok, err := readDirectory(cfg.FS, cfg.MetadataDir); err != nil || ok {
		return id, err
	}
	return kafka.NewUUID(cfg.Entropy), nil
}

// writeProperties makes a directory the node's, durably.
func writeProperties(cfg Config, d *found, clusterID string, directory kafka.UUID) error {
	if err := anchor(cfg.FS, d.path); err != nil {
		return err
	}
	p := Properties{ClusterID: clusterID, NodeID: cfg.NodeID, DirectoryID: directory}
	// Promise: whose directory this is survives whatever is acknowledged in it.
	if err := vfs.ReplaceFile(cfg.FS, d.path, PropertiesName, p.Encode()); err != nil {
		return fmt.Errorf("write %s/%s: %w", d.path, PropertiesName, err)
	}
	d.properties, d.hasProps = p, true
	return nil
}

// complete gives new directories their identity and lists all of them.
func complete(cfg Config, dirs []found, id Identity) (Identity, error) {
	byPath := map[string]*found{}
	for i := range dirs {
		d := &dirs[i]
		byPath[d.path] = d
		if d.offline != nil || d.hasProps {
			continue
		}
		if d.partition != "" {
			return id, refuse("%s/%s is missing, but partition folder %s is there: restore it from a copy",
				d.path, PropertiesName, d.partition)
		}
		if err := writeProperties(cfg, d, id.ClusterID, kafka.NewUUID(cfg.Entropy)); err != nil {
			if i == 0 {
				return id, err
			}
			d.offline = err
		}
	}
	id.Metadata = dirs[0].properties.DirectoryID
	for _, path := range cfg.LogDirs {
		d := byPath[path]
		if d.offline != nil {
			id.Directories = append(id.Directories, Directory{Path: path, Offline: d.offline})
			continue
		}
		id.Directories = append(id.Directories, Directory{Path: path, ID: d.properties.DirectoryID})
	}
	return id, nil
}

// stopped is a clock that stands still, for a store that is only looked at.
type stopped struct{ clock.Clock }

// Mono is always the same.
func (stopped) Mono() clock.Mono { return 0 }
