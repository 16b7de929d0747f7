package raftmeta

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/disk/memfs"
)

func testStore(t *testing.T, fsys *memfs.FS) *Store {
	t.Helper()
	if err := fsys.MkdirAll(worldDir); err != nil {
		t.Fatal(err)
	}
	st, err := OpenStore(StoreConfig{FS: fsys, Clock: manual.New(), LogDir: worldDir})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func storeEntries(t *testing.T, st *Store, first, last uint64) {
	t.Helper()
	for i := first; i <= last; i++ {
		l := &raft.Log{
			Index: i, Term: 3, Type: raft.LogCommand, Data: bytes.Repeat([]byte{byte(i)}, 40),
			Extensions: []byte{7}, AppendedAt: time.Unix(5, 6),
		}
		if err := st.Log.StoreLog(l); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEntryRoundTrip(t *testing.T) {
	st := testStore(t, memfs.New())
	defer st.Close()
	storeEntries(t, st, 1, 3)
	var l raft.Log
	if err := st.Log.GetLog(2, &l); err != nil {
		t.Fatal(err)
	}
	want := raft.Log{Index: 2, Term: 3, Type: raft.LogCommand, Data: bytes.Repeat([]byte{2}, 40), Extensions: []byte{7}, AppendedAt: time.Unix(5, 6)}
	if !reflect.DeepEqual(l, want) {
		t.Fatalf("%+v, want %+v", l, want)
	}
	if err := st.Log.GetLog(4, &l); !errors.Is(err, raft.ErrLogNotFound) {
		t.Fatal(err)
	}
	if err := st.Log.StoreLog(&raft.Log{Index: 9, Term: 3}); err == nil {
		t.Fatal("a gap was stored")
	}
	if err := st.Log.DeleteRange(2, 2); err == nil {
		t.Fatal("a hole was made")
	}
}

// flip changes one byte of a file.
func flip(t *testing.T, fsys *memfs.FS, name string, off int64) {
	t.Helper()
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, off); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x40
	if _, err := f.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
}

// TestRot: a changed byte in what later writes followed is damage, never a
// shorter log; in the last write it looks like a torn one.
func TestRot(t *testing.T) {
	const entries = 20
	fsys := memfs.New()
	st := testStore(t, fsys)
	storeEntries(t, st, 1, entries)
	seg := st.Log.segments[0]
	size, lastAt, name := seg.end, seg.entries[entries-1].offset, seg.file.Name()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	for off := int64(0); off < size; off++ {
		clone := fsys.Clone()
		flip(t, clone, name, off)
		st, err := OpenStore(StoreConfig{FS: clone, Clock: manual.New(), LogDir: worldDir})
		if off < lastAt {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("byte %d of %d changed: %v", off, size, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("byte %d of %d changed: %v", off, size, err)
		}
		if last, _ := st.Log.LastIndex(); last != entries-1 {
			t.Fatalf("byte %d of %d changed: log ends at %d", off, size, last)
		}
		_ = st.Close()
	}
}

// TestNewerFormat: files of a newer version are refused, not cut.
func TestNewerFormat(t *testing.T) {
	head := appendSegmentHeader(nil, 1)
	head[11] = 9
	c := crcOf(head[:20])
	head = append(head[:20], byte(c>>24), byte(c>>16), byte(c>>8), byte(c))
	if err := checkSegmentHeader(head, 1); !errors.Is(err, ErrNewerFormat) {
		t.Fatal(err)
	}
	if _, err := ParseEntry(append([]byte{9}, make([]byte, 40)...)); !errors.Is(err, ErrNewerFormat) {
		t.Fatal(err)
	}
	p := AppendSnapshotPrefix(nil, SnapshotID{5, 1})
	p[7] = 9
	if _, err := ParseSnapshotPrefix(p); !errors.Is(err, ErrNewerFormat) {
		t.Fatal(err)
	}
	m, err := snapMeta{Index: 3}.encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeSnapMeta(bytes.Replace(m, []byte("moldau-snapshot 1"), []byte("moldau-snapshot 9"), 1)); !errors.Is(err, ErrNewerFormat) {
		t.Fatal(err)
	}
}

func TestStableStore(t *testing.T) {
	fsys := memfs.New()
	st := testStore(t, fsys)
	set := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if v, err := st.Stable.GetUint64([]byte("CurrentTerm")); v != 0 || err != nil {
		t.Fatal(v, err)
	}
	for term := uint64(1); term < 5; term++ {
		set(st.Stable.SetUint64([]byte("CurrentTerm"), term))
		set(st.Stable.SetUint64([]byte(keyLastVoteTerm), term))
		set(st.Stable.Set([]byte(keyLastVoteCand), []byte{byte(term)}))
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		st = testStore(t, fsys)
		for key, want := range map[string]uint64{"CurrentTerm": term, keyLastVoteTerm: term} {
			if v, err := st.Stable.GetUint64([]byte(key)); v != want || err != nil {
				t.Fatal(key, v, err)
			}
		}
		if v, err := st.Stable.Get([]byte(keyLastVoteCand)); !bytes.Equal(v, []byte{byte(term)}) || err != nil {
			t.Fatal(v, err)
		}
	}
	_ = st.Close()
}

// TestCheckpointWithoutMeta: beside files of ours it is what a crash left;
// where none of ours exist it is left alone.
func TestCheckpointWithoutMeta(t *testing.T) {
	name := worldDir + "/" + Folder + "/" + SnapshotID{7, 2}.FileName()
	for _, ours := range []bool{false, true} {
		fsys := memfs.New()
		st := testStore(t, fsys)
		if ours {
			storeEntries(t, st, 1, 1)
		}
		_ = st.Close()
		f, err := fsys.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		st = testStore(t, fsys)
		_, err = fsys.Stat(name)
		if exists := err == nil; exists == ours {
			t.Errorf("ours %v: exists %v", ours, exists)
		}
		if _, ok := st.Snapshots.Latest(); ok {
			t.Error("it was taken for a snapshot")
		}
		_ = st.Close()
	}
}

func TestServerID(t *testing.T) {
	dir := kafka.UUID{0xff, 0xfe, 3}
	node, got, err := ParseServerID(ServerID(12, dir))
	if err != nil || node != 12 || got != dir {
		t.Fatal(node, got, err)
	}
	for _, bad := range []raft.ServerID{"", "1", "x-" + raft.ServerID(dir.String()), "1-short", "-1-" + raft.ServerID(dir.String())} {
		if _, _, err := ParseServerID(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzFormats(f *testing.F) {
	f.Add(appendEntry(nil, &raft.Log{Index: 1, Term: 1, Data: []byte("x")}, 0))
	f.Add(appendSegmentHeader(nil, 1))
	f.Add(preamble{clusterID: "c"}.append(nil))
	f.Add(AppendSnapshotPrefix(nil, SnapshotID{5, 1}))
	m, _ := snapMeta{Index: 3}.encode()
	f.Add(m)
	f.Fuzz(func(t *testing.T, b []byte) {
		var l raft.Log
		if h, ok := parseHead(b); ok {
			if err := decodeEntry(b, &l); err != nil {
				t.Fatal(err)
			}
			if again := appendEntry(nil, &l, h.synced); !bytes.Equal(again, b[:h.size]) && !l.AppendedAt.IsZero() {
				t.Fatalf("%x encoded again as %x", b, again)
			}
		}
		_ = checkSegmentHeader(b, 1)
		_ = provesSynced(b, 1)
		_, _ = ParseEntry(b)
		_, _ = ParseSnapshotPrefix(b)
		_, _ = decodeSnapMeta(b)
		_, _, _ = parseStableSlot(b)
		if len(b) >= preambleHeaderLen {
			if n, err := preambleRest(b); err == nil && len(b) == preambleHeaderLen+n {
				_, _ = parsePreamble(b)
			}
		}
	})
}
