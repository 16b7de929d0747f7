package identity

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/raftmeta"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

const (
	dirA = "/data/a"
	dirB = "/data/b"
)

func config(fsys vfs.FS, seed uint64) Config {
	return Config{
		FS: fsys, Entropy: manual.NewEntropy(seed), NodeID: 1,
		LogDirs: []string{dirA, dirB}, MetadataDir: dirA, Controller: true,
	}
}

func storeConfig(fsys vfs.FS) raftmeta.StoreConfig {
	return raftmeta.StoreConfig{FS: fsys, Clock: manual.New(), LogDir: dirA}
}

// bootstrap is what the assembly does on a first start.
func bootstrap(fsys vfs.FS) func(Identity) (string, error) {
	return func(id Identity) (string, error) {
		st, err := raftmeta.Bootstrap(storeConfig(fsys), raftmeta.Peer{Node: id.NodeID, Directory: id.Metadata})
		if err != nil {
			return "", err
		}
		return id.ClusterID, st.Close()
	}
}

func started(t *testing.T) (*memfs.FS, Identity) {
	t.Helper()
	fsys := memfs.New()
	id, err := Open(config(fsys, 1), bootstrap(fsys))
	if err != nil {
		t.Fatal(err)
	}
	return fsys, id
}

func write(t *testing.T, fsys vfs.FS, name, text string) {
	t.Helper()
	f, err := fsys.Create(name)
	if err == nil {
		_, err = f.WriteAt([]byte(text), 0)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func noBootstrap(Identity) (string, error) { return "", errors.New("bootstrapped again") }

func TestFirstStart(t *testing.T) {
	fsys, id := started(t)
	if !id.First || len(id.Directories) != 2 || id.Directories[0].ID != id.Metadata || id.Directories[1].ID.IsZero() {
		t.Fatalf("%+v", id)
	}
	again, err := Open(config(fsys, 2), noBootstrap)
	if err != nil {
		t.Fatal(err)
	}
	if again.First || again.ClusterID != id.ClusterID || again.Metadata != id.Metadata ||
		again.Directories[0] != id.Directories[0] || again.Directories[1] != id.Directories[1] {
		t.Fatalf("%+v, was %+v", again, id)
	}
	text, err := vfs.ReadFile(fsys, dirA+"/"+PropertiesName, 1000)
	want := "version=1\ncluster.id=" + id.ClusterID + "\nnode.id=1\ndirectory.id=" + id.Metadata.String() + "\n"
	if err != nil || string(text) != want {
		t.Fatalf("%q %v", text, err)
	}
}

// TestRefusals: each rule that forbids a start names what is wrong.
func TestRefusals(t *testing.T) {
	other := Properties{ClusterID: "other-cluster", NodeID: 1, DirectoryID: kafka.UUID{4: 4}}
	for name, c := range map[string]struct {
		damage func(*memfs.FS, *Config)
		want   []string
	}{
		"another node": {func(_ *memfs.FS, c *Config) { c.NodeID = 2 }, []string{"node 1", "node 2", dirA}},
		"another cluster": {func(f *memfs.FS, _ *Config) {
			write(t, f, dirB+"/"+PropertiesName, string(other.Encode()))
		}, []string{"other-cluster", dirA, dirB}},
		"a copied directory": {func(f *memfs.FS, _ *Config) {
			text, _ := vfs.ReadFile(f, dirA+"/"+PropertiesName, 1000)
			write(t, f, dirB+"/"+PropertiesName, string(text))
		}, []string{"copy", dirA, dirB}},
		"kafka's metadata log": {func(f *memfs.FS, _ *Config) {
			write(t, f, dirA+"/__cluster_metadata-0/00000000000000000000.log", "x")
		}, []string{"Apache Kafka", dirA, "00000000000000000000.log"}},
		"kafka's freshly formatted directory": {func(f *memfs.FS, _ *Config) {
			write(t, f, dirB+"/bootstrap.checkpoint", "x")
		}, []string{"Apache Kafka", dirB}},
		"metadata log gone": {func(f *memfs.FS, _ *Config) {
			if err := raftmeta.Erase(f, dirA); err != nil {
				t.Fatal(err)
			}
		}, []string{"cluster quorum replace 1"}},
		"partitions without meta.properties": {func(f *memfs.FS, _ *Config) {
			if err := errors.Join(f.Remove(dirB+"/"+PropertiesName), f.MkdirAll(dirB+"/topic-0")); err != nil {
				t.Fatal(err)
			}
		}, []string{dirB + "/" + PropertiesName, "topic-0"}},
		"raft files without meta.properties": {func(f *memfs.FS, _ *Config) {
			use(t, f)
			if err := errors.Join(f.Remove(dirA+"/"+PropertiesName), f.Remove(dirB+"/"+PropertiesName)); err != nil {
				t.Fatal(err)
			}
		}, []string{dirA + "/" + PropertiesName, "metadata log"}},
	} {
		t.Run(name, func(t *testing.T) {
			fsys, _ := started(t)
			cfg := config(fsys, 3)
			c.damage(fsys, &cfg)
			_, err := Open(cfg, noBootstrap)
			if !errors.Is(err, ErrRefused) {
				t.Fatalf("not refused: %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not name %q", err, want)
				}
			}
		})
	}
}

// use puts a metadata record into raft's log.
func use(t *testing.T, fsys vfs.FS) {
	t.Helper()
	st, err := raftmeta.OpenStore(storeConfig(fsys))
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(st.Log.StoreLog(&raft.Log{Index: 2, Term: 2, Type: raft.LogCommand, Data: []byte("x")}), st.Close())
	if err != nil {
		t.Fatal(err)
	}
}

// TestUnfinishedFirstStart: a first start that ended before meta.properties
// begins anew, with another identity.
func TestUnfinishedFirstStart(t *testing.T) {
	fsys := memfs.New()
	stop := errors.New("power loss")
	_, err := Open(config(fsys, 1), func(id Identity) (string, error) {
		_, err := bootstrap(fsys)(id)
		return "", errors.Join(err, stop)
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	id, err := Open(config(fsys, 2), bootstrap(fsys))
	if err != nil || !id.First {
		t.Fatalf("%+v %v", id, err)
	}
}

// TestNewDirectory: a directory that is added is given an id; one that cannot
// be read is offline alone.
func TestNewDirectory(t *testing.T) {
	fsys, id := started(t)
	cfg := config(fsys, 4)
	cfg.LogDirs = append(cfg.LogDirs, "/data/c", "/data/d")
	write(t, fsys, "/data/d", "a file where a directory belongs")
	got, err := Open(cfg, noBootstrap)
	if err != nil {
		t.Fatal(err)
	}
	if got.ClusterID != id.ClusterID || got.Directories[2].ID.IsZero() || got.Directories[2].Offline != nil || got.Directories[3].Offline == nil {
		t.Fatalf("%+v", got)
	}
}

func TestDirectoryIDBeforeTheCluster(t *testing.T) {
	fsys := memfs.New()
	if err := fsys.MkdirAll(dirA); err != nil {
		t.Fatal(err)
	}
	cfg := config(fsys, 1)
	id, err := DirectoryID(cfg, dirA)
	if err != nil {
		t.Fatal(err)
	}
	again, err := DirectoryID(cfg, dirA)
	if err != nil || again != id {
		t.Fatalf("%s, was %s: %v", again, id, err)
	}
	who, err := Open(cfg, bootstrap(fsys))
	if err != nil || who.Metadata != id {
		t.Fatalf("%+v %v", who, err)
	}
}

func FuzzParseProperties(f *testing.F) {
	f.Add([]byte("#\nversion=1\nnode.id=3\ncluster.id=abc\ndirectory.id=AAAAAAAAAAAAAAAAAAAABA\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseProperties(text)
		if err != nil || p.DirectoryID.IsZero() {
			return
		}
		again, err := ParseProperties(p.Encode())
		if err != nil || again != p {
			t.Fatalf("%+v read back as %+v, %v", p, again, err)
		}
	})
}

// TestDirectorySurvives: after a first start a power loss takes no directory
// away, also where somebody else had made it without a sync.
func TestDirectorySurvives(t *testing.T) {
	for seed := range uint64(50) {
		fsys := memfs.New()
		if err := fsys.MkdirAll(dirB); err != nil {
			t.Fatal(err)
		}
		id, err := Open(config(fsys, 1), bootstrap(fsys))
		if err != nil {
			t.Fatal(err)
		}
		clone := fsys.CrashClone(rand.New(rand.NewPCG(seed, 1)))
		again, err := Open(config(clone, 2), noBootstrap)
		if err != nil || again.ClusterID != id.ClusterID || again.Directories[1] != id.Directories[1] {
			t.Fatalf("seed %d: %+v, was %+v: %v", seed, again, id, err)
		}
	}
}
