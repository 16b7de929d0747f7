package identity

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/disk/vfs/vfstest"
)

// firstStart is a first start with a power loss before every call: until it
// has returned, the next start begins anew or finishes it; afterwards it finds
// the same identity. wrapped is the file system that the start sees.
type firstStart struct {
	mem     *memfs.FS
	wrapped vfs.FS
	coins   *rand.Rand
	seed    uint64
	told    kafka.UUID // the metadata directory's id, once it was told to others
	id      Identity   // once the start has returned
	crashes int
	problem error
}

var errCutShort = errors.New("the process ends here")

// run begins with a directory that somebody else made, now and then with a
// first start that was cut short, or with an id that was told beforehand.
func (s *firstStart) run() error {
	if err := s.mem.MkdirAll(dirB); err != nil {
		return err
	}
	s.mem.OnCall(func(memfs.Call) error { s.crash(); return nil })
	cfg := config(s.wrapped, s.seed)
	if s.seed%3 == 0 {
		if err := s.wrapped.MkdirAll(dirA); err != nil {
			return err
		}
		id, err := DirectoryID(cfg, dirA)
		if err != nil {
			return err
		}
		s.told = id
	}
	if s.seed%2 == 1 {
		_, err := Open(cfg, func(id Identity) (string, error) {
			_, err := bootstrap(s.wrapped)(id)
			return "", errors.Join(err, errCutShort)
		})
		if !errors.Is(err, errCutShort) {
			return fmt.Errorf("a start that was cut short: %w", err)
		}
		cfg = config(s.wrapped, s.seed+1)
	}
	id, err := Open(cfg, bootstrap(s.wrapped))
	if err != nil {
		return err
	}
	s.id = id
	for range 4 {
		s.crash()
	}
	return nil
}

// crash starts a node on what a power loss leaves now. The start itself may be
// interrupted once more.
func (s *firstStart) crash() {
	if s.problem != nil {
		return
	}
	s.crashes++
	clone := s.mem.CrashClone(s.coins)
	if s.id.ClusterID == "" && s.coins.IntN(4) == 0 {
		var again *memfs.FS
		clone.OnCall(func(memfs.Call) error {
			if again == nil && s.coins.IntN(6) == 0 {
				again = clone.CrashClone(s.coins)
			}
			return nil
		})
		s.problem = s.look(clone, s.seed+2)
		clone.OnCall(nil)
		if again != nil && s.problem == nil {
			clone = again
		}
	}
	if s.problem == nil {
		s.problem = s.look(clone, s.seed+3)
	}
}

func (s *firstStart) look(clone *memfs.FS, seed uint64) error {
	if s.told != (kafka.UUID{}) {
		if err := clone.MkdirAll(dirA); err != nil {
			return err
		}
		if id, err := DirectoryID(config(clone, seed), dirA); err != nil || id != s.told {
			return fmt.Errorf("the directory's id is %s, %s was told: %v", id, s.told, err)
		}
	}
	if s.id.ClusterID == "" {
		_, err := Open(config(clone, seed), bootstrap(clone))
		return err
	}
	id, err := Open(config(clone, seed), noBootstrap)
	if err == nil && (id.ClusterID != s.id.ClusterID || id.Directories[0] != s.id.Directories[0] || id.Directories[1] != s.id.Directories[1]) {
		err = fmt.Errorf("%+v, was %+v", id, s.id)
	}
	return err
}

func crashFirstStart(seed uint64, wrap func(vfs.FS) vfs.FS) (crashes int, problem error) {
	s := &firstStart{mem: memfs.New(), coins: rand.New(rand.NewPCG(seed, 2)), seed: 1000 * seed}
	s.seed += seed % 6
	s.wrapped = wrap(s.mem)
	err := s.run()
	return s.crashes, errors.Join(s.problem, err)
}

const firstStartSeeds = 300

func TestCrashOfAFirstStart(t *testing.T) {
	total := 0
	for seed := range uint64(firstStartSeeds) {
		crashes, problem := crashFirstStart(seed, func(f vfs.FS) vfs.FS { return f })
		if problem != nil {
			t.Fatalf("seed %d: %v", seed, problem)
		}
		total += crashes
	}
	t.Logf("%d crashes", total)
}

// TestLostSyncIsCaught takes away the syncs of one place at a time.
func TestLostSyncIsCaught(t *testing.T) {
	for _, place := range []string{
		"identity.anchor SyncDir",
		"identity.writeProperties ReplaceFile.Sync", "identity.writeProperties ReplaceFile.SyncDir",
		"identity.DirectoryID ReplaceFile.Sync", "identity.DirectoryID ReplaceFile.SyncDir",
		"raftmeta.Erase SyncDir",
	} {
		t.Run(place, func(t *testing.T) {
			var left atomic.Int64
			for seed := range uint64(firstStartSeeds) {
				_, problem := crashFirstStart(seed, func(f vfs.FS) vfs.FS { return vfstest.NewLeaveOut(f, place, &left) })
				if problem != nil {
					t.Logf("seed %d, %d syncs left out: %v", seed, left.Load(), problem)
					return
				}
			}
			t.Errorf("%d syncs were left out and nobody noticed", left.Load())
		})
	}
}
