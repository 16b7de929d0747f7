package raftmeta

import (
	"errors"
	"testing"

	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/disk/faultfs"
	"github.com/moldau/moldau/disk/memfs"
)

// openVote opens the file of term and vote alone.
func openVote(fsys *faultfs.FS, fresh bool) (*StableStore, error) {
	return openStable(fsys, "/", newGuard(manual.New(), func(error) {}), fresh)
}

// A slot that the disk does not give back may hold the newest vote: taking the
// other one for it would be to vote twice.
func TestUnreadableVoteIsNotAnOlderVote(t *testing.T) {
	fault := errors.New("injected")
	for _, fresh := range []bool{false, true} {
		for slot := 1; slot <= 2; slot++ {
			fsys := faultfs.New(memfs.New(), manual.New())
			s, err := openVote(fsys, true)
			if err != nil {
				t.Fatal(err)
			}
			for term := uint64(1); term <= 3; term++ {
				if err := s.SetUint64([]byte("CurrentTerm"), term); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			remove := fsys.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpRead}, Nth: slot, Err: fault})
			if _, err := openVote(fsys, fresh); !errors.Is(err, fault) {
				t.Errorf("fresh %t, slot %d unreadable: %v, want the disk's error", fresh, slot, err)
			}
			remove()
			if s, err = openVote(fsys, fresh); err != nil {
				t.Fatal(err)
			}
			if term, err := s.GetUint64([]byte("CurrentTerm")); term != 3 || err != nil {
				t.Errorf("fresh %t: term %d, %v; want 3", fresh, term, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A file that cannot be opened is not a file that is missing.
func TestVoteThatCannotBeOpenedIsNotMadeAnew(t *testing.T) {
	fault := errors.New("injected")
	fsys := faultfs.New(memfs.New(), manual.New())
	s, err := openVote(fsys, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	fsys.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpOpen}, Err: fault})
	if _, err := openVote(fsys, true); !errors.Is(err, fault) {
		t.Errorf("%v, want the disk's error", err)
	}
}
