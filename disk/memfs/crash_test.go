package memfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// crashes is the number of crash clones in which every outcome that is
// possible is expected to come up.
const crashes = 400

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t testing.TB, fsys vfs.FS, name, data string) vfs.File {
	t.Helper()
	f, err := fsys.Create(name)
	must(t, err)
	write(t, f, data, 0)
	return f
}

func write(t testing.TB, f vfs.File, data string, off int64) {
	t.Helper()
	_, err := f.WriteAt([]byte(data), off)
	must(t, err)
}

// read returns the contents of a file, or "-" if there is none.
func read(t testing.TB, fsys vfs.FS, name string) string {
	t.Helper()
	data, err := vfs.ReadFile(fsys, name, 1<<30)
	if errors.Is(err, fs.ErrNotExist) {
		return "-"
	}
	must(t, err)
	return string(data)
}

// dump prints a whole file system.
func dump(t testing.TB, fsys vfs.FS, dir string) string {
	t.Helper()
	infos, err := fsys.List(dir)
	must(t, err)
	var b strings.Builder
	for _, info := range infos {
		name := dir + "/" + info.Name
		if info.Dir {
			fmt.Fprintf(&b, "%s/\n%s", name, dump(t, fsys, name))
		} else {
			fmt.Fprintf(&b, "%s %q\n", name, read(t, fsys, name))
		}
	}
	return b.String()
}

// outcomes counts what look makes of many crash clones.
func outcomes(fsys *memfs.FS, look func(clone *memfs.FS) string) map[string]int {
	seen := map[string]int{}
	for seed := range uint64(crashes) {
		seen[look(fsys.CrashClone(rng(seed)))]++
	}
	return seen
}

func mustSee(t *testing.T, seen map[string]int, want ...string) {
	t.Helper()
	var got []string
	for outcome := range seen {
		got = append(got, outcome)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("after crashes: %.100q, want %.100q", got, want)
	}
}

func TestSyncedSurvives(t *testing.T) {
	fsys := memfs.New()
	must(t, fsys.MkdirAll("d/e"))
	f := create(t, fsys, "d/e/f", strings.Repeat("x", 10_000))
	must(t, f.Sync())
	must(t, errors.Join(fsys.SyncDir("d/e"), fsys.SyncDir("d"), fsys.SyncDir("/")))
	seen := outcomes(fsys, func(clone *memfs.FS) string { return dump(t, clone, "") })
	mustSee(t, seen, dump(t, fsys, ""))
}

func TestNameIsNotSyncedByItsFile(t *testing.T) {
	fsys := memfs.New()
	must(t, create(t, fsys, "f", "data").Sync())
	mustSee(t, outcomes(fsys, func(clone *memfs.FS) string { return read(t, clone, "f") }), "-", "data")
}

func TestContentsAreNotSyncedByTheDirectory(t *testing.T) {
	fsys := memfs.New()
	create(t, fsys, "f", "data")
	must(t, fsys.SyncDir("/"))
	mustSee(t, outcomes(fsys, func(clone *memfs.FS) string { return read(t, clone, "f") }), "", "\x00\x00\x00\x00", "data")
}

func synced(t *testing.T, fsys *memfs.FS, name, data string) vfs.File {
	t.Helper()
	f := create(t, fsys, name, data)
	must(t, f.Sync())
	must(t, fsys.SyncDir("/"))
	return f
}

func TestTruncationComesBack(t *testing.T) {
	fsys := memfs.New()
	f := synced(t, fsys, "f", "old bytes")
	must(t, f.Truncate(3))
	write(t, f, "NEW", 3)
	seen := outcomes(fsys, func(clone *memfs.FS) string { return read(t, clone, "f") })
	for _, want := range []string{"old bytes", "old", "oldNEW", "old by"} {
		if seen[want] == 0 {
			t.Errorf("never saw %q: %v", want, seen)
		}
	}
	for outcome := range seen {
		if !strings.HasPrefix(outcome, "old") {
			t.Errorf("saw %q: the kept part changed", outcome)
		}
	}
}

func TestWritesSurviveInAnyOrder(t *testing.T) {
	fsys := memfs.New()
	f := synced(t, fsys, "f", strings.Repeat(".", 8192))
	write(t, f, "1", 0)
	write(t, f, "2", 4096)
	seen := outcomes(fsys, func(clone *memfs.FS) string {
		data := read(t, clone, "f")
		return data[:1] + data[4096:4097]
	})
	mustSee(t, seen, "..", "1.", ".2", "12")
}

func TestIntermediateVersionsSurvive(t *testing.T) {
	fsys := memfs.New()
	f := synced(t, fsys, "f", "0")
	for _, version := range []string{"1", "2", "3"} {
		write(t, f, version, 0)
	}
	mustSee(t, outcomes(fsys, func(clone *memfs.FS) string { return read(t, clone, "f") }), "0", "1", "2", "3")
}

func TestPagesAreTornAtSectors(t *testing.T) {
	fsys := memfs.New()
	f := synced(t, fsys, "f", strings.Repeat("a", 4096))
	write(t, f, strings.Repeat("b", 4096), 0)
	torn := 0
	for seed := range uint64(crashes) {
		data := read(t, fsys.CrashClone(rng(seed)), "f")
		for sector := 0; sector < 4096; sector += 512 {
			part := data[sector : sector+512]
			if part != strings.Repeat(part[:1], 512) {
				t.Fatalf("a sector was torn: %q", part)
			}
		}
		if strings.Contains(data, "a") && strings.Contains(data, "b") {
			torn++
		}
	}
	if torn == 0 {
		t.Error("no page was ever torn")
	}
}

func TestUnlinkComesBack(t *testing.T) {
	fsys := memfs.New()
	synced(t, fsys, "f", "data")
	must(t, fsys.Remove("f"))
	look := func(clone *memfs.FS) string { return read(t, clone, "f") }
	mustSee(t, outcomes(fsys, look), "-", "data")
	must(t, fsys.SyncDir("/"))
	mustSee(t, outcomes(fsys, look), "-")
}

func TestRenameIsOneChange(t *testing.T) {
	fsys := memfs.New()
	synced(t, fsys, "old", "data")
	must(t, fsys.Rename("old", "new"))
	look := func(clone *memfs.FS) string { return read(t, clone, "old") + " " + read(t, clone, "new") }
	mustSee(t, outcomes(fsys, look), "data -", "- data")
	must(t, fsys.SyncDir("/"))
	mustSee(t, outcomes(fsys, look), "- data")
}

func TestRenameBetweenDirectories(t *testing.T) {
	fresh := func() *memfs.FS {
		fsys := memfs.New()
		must(t, fsys.MkdirAll("a"))
		must(t, fsys.MkdirAll("b"))
		must(t, create(t, fsys, "a/f", "data").Sync())
		must(t, errors.Join(fsys.SyncDir("a"), fsys.SyncDir("/")))
		must(t, fsys.Rename("a/f", "b/f"))
		return fsys
	}
	look := func(clone *memfs.FS) string { return read(t, clone, "a/f") + " " + read(t, clone, "b/f") }
	mustSee(t, outcomes(fresh(), look), "data -", "- data")
	toSynced := fresh()
	must(t, toSynced.SyncDir("b"))
	mustSee(t, outcomes(toSynced, look), "data data", "- data")
	fromSynced := fresh()
	must(t, fromSynced.SyncDir("a"))
	mustSee(t, outcomes(fromSynced, look), "- data")
}

func TestEntriesSurviveInAnyOrderButOneName(t *testing.T) {
	fsys := memfs.New()
	synced(t, fsys, "current", "1")
	must(t, fsys.Rename("current", "kept"))
	must(t, create(t, fsys, "current", "2").Sync())
	must(t, create(t, fsys, "other", "3").Sync())
	seen := outcomes(fsys, func(clone *memfs.FS) string {
		return read(t, clone, "current") + read(t, clone, "kept") + read(t, clone, "other")
	})
	mustSee(t, seen, "1--", "1-3", "-1-", "-13", "21-", "213")
}

func TestDirectoryGoesWithItsName(t *testing.T) {
	fsys := memfs.New()
	must(t, fsys.MkdirAll("d"))
	must(t, create(t, fsys, "d/f", "data").Sync())
	must(t, fsys.SyncDir("d"))
	mustSee(t, outcomes(fsys, func(clone *memfs.FS) string { return dump(t, clone, "") }), "", "/d/\n/d/f \"data\"\n")
}

func TestRemoveAllSurvivesInParts(t *testing.T) {
	fsys := memfs.New()
	must(t, fsys.MkdirAll("d"))
	must(t, create(t, fsys, "d/a", "").Sync())
	must(t, create(t, fsys, "d/b", "").Sync())
	must(t, errors.Join(fsys.SyncDir("d"), fsys.SyncDir("/")))
	must(t, fsys.RemoveAll("d"))
	seen := outcomes(fsys, func(clone *memfs.FS) string { return dump(t, clone, "") })
	mustSee(t, seen, "", "/d/\n", "/d/\n/d/a \"\"\n", "/d/\n/d/b \"\"\n", "/d/\n/d/a \"\"\n/d/b \"\"\n")
}

func TestFailedSyncDropsWhatItWasToWrite(t *testing.T) {
	fsys := memfs.New()
	f := synced(t, fsys, "f", strings.Repeat("a", 8192))
	write(t, f, "b", 0)
	fsys.OnCall(func(c memfs.Call) error {
		if c.Op == memfs.OpSync {
			return errors.New("input/output error")
		}
		return nil
	})
	if f.Sync() == nil {
		t.Fatal("sync passed")
	}
	fsys.OnCall(nil)
	write(t, f, "c", 4096)
	must(t, f.Sync())
	look := func(fsys *memfs.FS) string {
		data := read(t, fsys, "f")
		return data[:1] + data[4096:4097]
	}
	if got := look(fsys); got != "bc" {
		t.Errorf("reads %q after the failed sync", got)
	}
	mustSee(t, outcomes(fsys, look), "ac")
}

func TestClonesAreApart(t *testing.T) {
	fsys := memfs.New()
	f := synced(t, fsys, "f", strings.Repeat("a", 5000))
	write(t, f, "bbb", 4095)
	crashed, killed := fsys.CrashClone(rng(1)), fsys.Clone()
	before, beforeKilled := dump(t, crashed, ""), dump(t, killed, "")
	write(t, f, "ccccc", 4094)
	must(t, f.Sync())
	must(t, f.Truncate(7))
	if dump(t, crashed, "") != before || dump(t, killed, "") != beforeKilled {
		t.Error("a write to the old file system reached a clone")
	}
	own := dump(t, fsys, "")
	for _, clone := range []*memfs.FS{crashed, killed} {
		g, err := clone.Open("f")
		must(t, err)
		write(t, g, "ddddddddd", 0)
		write(t, g, "ddddddddd", 4093)
		must(t, g.Truncate(20))
		must(t, g.Sync())
	}
	if dump(t, fsys, "") != own {
		t.Error("a write to a clone reached the old file system")
	}
	if again := fsys.CrashClone(rng(2)).CrashClone(rng(3)); read(t, again, "f") != read(t, fsys.CrashClone(rng(2)), "f") {
		t.Error("what a crash left was lost in a second one")
	}
}

func TestCloneKeepsWhatIsUnsynced(t *testing.T) {
	fsys := memfs.New()
	f := synced(t, fsys, "f", "old")
	write(t, f, "new", 0)
	must(t, fsys.Rename("f", "g"))
	clone := fsys.Clone()
	if got := dump(t, clone, ""); got != dump(t, fsys, "") {
		t.Errorf("clone holds %s", got)
	}
	look := func(clone *memfs.FS) string { return read(t, clone, "f") + " " + read(t, clone, "g") }
	mustSee(t, outcomes(clone, look), "old -", "new -", "- old", "- new")
	g, err := clone.Open("g")
	must(t, err)
	must(t, errors.Join(g.Sync(), clone.SyncDir("/")))
	mustSee(t, outcomes(clone, look), "- new")
	mustSee(t, outcomes(fsys, look), "old -", "new -", "- old", "- new")
}

func TestSameSeedSameClone(t *testing.T) {
	fresh := func() *memfs.FS {
		fsys := memfs.New()
		for i := range 20 {
			f := create(t, fsys, fmt.Sprint("f", i), strings.Repeat("x", i*1000))
			if i%2 == 0 {
				must(t, f.Sync())
			}
			write(t, f, "y", int64(i))
		}
		return fsys
	}
	a, b := fresh(), fresh()
	different := 0
	for seed := range uint64(50) {
		left := dump(t, a.CrashClone(rng(seed)), "")
		if left != dump(t, b.CrashClone(rng(seed)), "") {
			t.Fatalf("seed %d gave two clones", seed)
		}
		if left != dump(t, a.CrashClone(rng(seed+1)), "") {
			different++
		}
	}
	if different == 0 {
		t.Error("all seeds give one clone")
	}
}

// TestReplaceFileAtEveryCall crashes a replacement before each of its calls:
// the file holds the old or the new contents whole. Without any one of its two
// syncs that is not so, and the clones show it.
func TestReplaceFileAtEveryCall(t *testing.T) {
	oldData, newData := strings.Repeat("old", 3000), strings.Repeat("new", 4000)
	broken := func(skip memfs.Op) (lost bool) {
		fsys := memfs.New()
		must(t, vfs.ReplaceFile(fsys, "", "f", []byte(oldData)))
		acked := false
		check := func() {
			for seed := range uint64(60) {
				got := read(t, fsys.CrashClone(rng(seed)), "f")
				if got != newData && (acked || got != oldData) {
					lost = true
				}
			}
		}
		fsys.OnCall(func(memfs.Call) error {
			check()
			return nil
		})
		must(t, vfs.ReplaceFile(without{fsys, skip}, "", "f", []byte(newData)))
		acked = true
		check()
		return lost
	}
	if broken("") {
		t.Error("a crash left neither the old nor the new contents")
	}
	for _, skip := range []memfs.Op{memfs.OpSync, memfs.OpSyncDir} {
		if !broken(skip) {
			t.Errorf("nothing shows that %s is missing", skip)
		}
	}
}

// without leaves out one kind of sync.
type without struct {
	vfs.FS
	op memfs.Op
}

func (w without) SyncDir(dir string) error {
	if w.op == memfs.OpSyncDir {
		return nil
	}
	return w.FS.SyncDir(dir)
}

func (w without) Create(name string) (vfs.File, error) {
	f, err := w.FS.Create(name)
	if w.op == memfs.OpSync {
		f = withoutSync{f}
	}
	return f, err
}

type withoutSync struct{ vfs.File }

func (withoutSync) Sync() error { return nil }

func TestManyUnsyncedWritesAreFolded(t *testing.T) {
	fsys := memfs.New()
	f := synced(t, fsys, "f", "")
	for i := range 10_000 {
		write(t, f, "0123456789", int64(i*10))
	}
	if got := len(read(t, fsys.CrashClone(rng(1)), "f")); got > 100_000 {
		t.Errorf("%d bytes survived", got)
	}
	seen := outcomes(fsys, func(clone *memfs.FS) string {
		switch data := read(t, clone, "f"); {
		case data == strings.Repeat("0123456789", 10_000):
			return "all"
		case data == "":
			return "none"
		case strings.Trim(data, "0123456789\x00") == "":
			return "some"
		default:
			return "other"
		}
	})
	mustSee(t, seen, "all", "none", "some")
	must(t, f.Sync())
	mustSee(t, outcomes(fsys, func(clone *memfs.FS) string { return fmt.Sprint(len(read(t, clone, "f"))) }), "100000")
}

func BenchmarkCrashClone(b *testing.B) {
	fsys := memfs.New()
	for i := range 100 {
		f := create(b, fsys, fmt.Sprint("f", i), strings.Repeat("x", 100_000))
		must(b, f.Sync())
		if i%10 == 0 {
			write(b, f, "yyy", 50_000)
		}
	}
	must(b, fsys.SyncDir("/"))
	r := rng(1)
	b.ReportAllocs()
	for b.Loop() {
		fsys.CrashClone(r)
	}
}
