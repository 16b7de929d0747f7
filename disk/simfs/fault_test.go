package simfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moldau/moldau/disk/simfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/simcore"
)

// node is a disk with one incarnation on it.
type node struct {
	testing.TB
	*simfs.Disk
	fsys  *simfs.FS
	fence *simcore.Fence
	marks *simcore.Marks
	atlas *simfs.Atlas
}

func newNode(t testing.TB, name string, seed uint64, atlas *simfs.Atlas) *node {
	n := &node{TB: t, marks: simcore.NewMarks(nil), atlas: atlas}
	n.Disk = simfs.New(simfs.Config{
		Node: name, Timebase: simcore.ProcessTime{}, Streams: simcore.NewStreams(seed), Marks: n.marks, Atlas: atlas,
	})
	n.boot()
	n.must(n.fsys.MkdirAll("/d1/t-0"))
	n.must(n.fsys.MkdirAll("/d2/t-1"))
	for _, dir := range []string{"/d1", "/d2", "/"} {
		n.must(n.fsys.SyncDir(dir))
	}
	return n
}

// one is a node alone, whose copies may all be taken.
func one(t testing.TB, seed uint64) *node { return newNode(t, "n", seed, simfs.NewAtlas(1)) }

func (n *node) boot() {
	n.fence = simcore.NewFence(n.marks)
	n.fsys = n.Mount(n.fence)
}

func (n *node) reboot(how simcore.Ending) {
	n.fence.Crash(how)
	n.boot()
}

func (n *node) must(err error) {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
}

func (n *node) mustBe(what string, err, want error) {
	n.Helper()
	if !errors.Is(err, want) {
		n.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func (n *node) mustFire(names ...string) {
	n.Helper()
	for _, name := range names {
		if n.marks.Fired(name) == 0 {
			n.Errorf("%s never fired: %v", name, n.marks.All())
		}
	}
}

// put makes a durable file.
func (n *node) put(name, data string) vfs.File {
	n.Helper()
	f, err := n.fsys.Create(name)
	n.must(err)
	n.write(f, data, 0)
	n.must(f.Sync())
	n.must(n.fsys.SyncDir(path.Dir(name)))
	return f
}

func (n *node) write(f vfs.File, data string, off int64) {
	n.Helper()
	_, err := f.WriteAt([]byte(data), off)
	n.must(err)
}

// peek returns the contents without faults, "-" for none.
func (n *node) peek(name string) string {
	n.Helper()
	data, err := vfs.ReadFile(n.Peek(), name, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return "-"
	}
	n.must(err)
	return string(data)
}

func (n *node) damages() string { return strings.Trim(fmt.Sprint(n.Damages()), "[]") }

func only(name string) func(string) bool { return func(other string) bool { return other == name } }

const log = "/d1/t-0/0.log"

func TestKillKeepsAndPowerLossMayDrop(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(30) {
		n := one(t, seed)
		f := n.put(log, "old")
		n.write(f, "new", 0)
		n.reboot(simcore.Kill)
		if got := n.peek(log); got != "new" {
			t.Fatalf("after a kill: %q", got)
		}
		n.reboot(simcore.PowerLoss)
		seen[n.peek(log)] = true
	}
	if !seen["old"] || !seen["new"] || len(seen) != 2 {
		t.Errorf("after a power loss: %v", seen)
	}
}

// TestZombiesReachNobody: what a dead incarnation writes, and its locks.
func TestZombiesReachNobody(t *testing.T) {
	n := one(t, 1)
	f := n.put(log, "before")
	_, err := n.fsys.Lock("/d1/.lock")
	n.must(err)
	dead := n.fsys
	n.reboot(simcore.Kill)
	ended := make(chan struct{})
	for _, call := range []func(){
		func() { _, _ = f.WriteAt([]byte("after"), 0) },
		func() { _ = f.Sync() },
		func() { _ = dead.Remove(log) },
		func() { _, _ = dead.List("/") },
		func() { _ = f.Close() },
	} {
		go func() {
			defer func() { ended <- struct{}{} }()
			call()
			t.Error("a call returned to a crashed incarnation")
		}()
		<-ended
	}
	if got := n.peek(log); got != "before" {
		t.Errorf("a dead incarnation wrote %q", got)
	}
	_, err = n.fsys.Lock("/d1/.lock")
	n.must(err)
	n.mustFire("process.kill", "process.fenced")
}

func TestCrashAtCalls(t *testing.T) {
	for _, c := range []struct {
		op    simcore.Op
		where simcore.Where
		want  string
	}{
		{simfs.OpWrite, simcore.Before, "old"},
		{simfs.OpWrite, simcore.Within, strings.Repeat("n", 512)},
		{simfs.OpWrite, simcore.After, strings.Repeat("n", 1200)},
		{simfs.OpSync, simcore.Before, strings.Repeat("n", 1200)},
		{simfs.OpRename, simcore.Before, strings.Repeat("n", 1200)},
		{simfs.OpRename, simcore.After, "-"},
	} {
		n := one(t, 1)
		f := n.put(log, "old")
		n.fence.Arm(simcore.Trap{Ops: []simcore.Op{c.op}, Where: c.where})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = f.WriteAt(bytes.Repeat([]byte("n"), 1200), 0)
			_ = f.Sync()
			_ = n.fsys.Rename(log, "/d1/t-0/1.log")
			t.Errorf("%s: passed the trap", c.op)
		}()
		<-ended
		if got := n.peek(log); got != c.want {
			t.Errorf("crash %d of %s: %.20q", c.where, c.op, got)
		}
	}
}

func TestReadFaults(t *testing.T) {
	n := one(t, 1)
	data := strings.Repeat("0123456789", 100)
	f := n.put(log, data)
	p := make([]byte, len(data))
	n.Once(simfs.ReadError, only(log))
	_, err := f.ReadAt(p, 0)
	n.mustBe("read", err, simfs.ErrIO)
	differ := func() (bits int) {
		_, err := f.ReadAt(p, 0)
		n.must(err)
		for i := range p {
			for x := p[i] ^ data[i]; x > 0; x &= x - 1 {
				bits++
			}
		}
		return bits
	}
	n.Once(simfs.FlipOnRead, nil)
	if bits := differ(); bits != 1 || n.peek(log) != data || n.damages() != "" {
		t.Errorf("%d bits flipped on a read, damage %s", bits, n.damages())
	}
	n.Once(simfs.Rot, nil)
	if bits := differ(); bits != 1 || differ() != 1 || n.peek(log) == data {
		t.Errorf("%d bits rotted", bits)
	}
	if d := n.Damages(); len(d) != 1 || d[0].Path != log || d[0].Len != 1 || d[0].Kind != simfs.Rot || n.peek(log)[d[0].Off] == data[d[0].Off] {
		t.Errorf("the atlas says %v", d)
	}
	n.reboot(simcore.PowerLoss)
	if n.peek(log) == data || len(n.Damages()) != 1 {
		t.Error("rot went away with the power")
	}
	n.must(n.fsys.Rename(log, "/d1/t-0/1.log"))
	if d := n.Damages(); len(d) != 1 || d[0].Path != "/d1/t-0/1.log" {
		t.Errorf("after a rename the atlas says %v", d)
	}
	f, err = n.fsys.Open("/d1/t-0/1.log")
	n.must(err)
	n.write(f, data, 0)
	if len(n.Damages()) != 1 {
		t.Error("an overwrite that is not synced healed")
	}
	n.must(f.Sync())
	if len(n.Damages()) != 0 {
		t.Errorf("healed, but the atlas says %v", n.Damages())
	}
	n.mustFire("disk.readerror", "disk.flip", "disk.rot")
}

func TestTornWrites(t *testing.T) {
	lengths := map[int]bool{}
	for seed := range uint64(40) {
		n := one(t, seed)
		f := n.put(log, strings.Repeat("o", 100))
		n.Once(simfs.WriteError, nil)
		wrote, err := f.WriteVecAt([][]byte{bytes.Repeat([]byte("n"), 1000), bytes.Repeat([]byte("n"), 1000)}, 100)
		n.mustBe("write", err, simfs.ErrIO)
		if got := n.peek(log); got != strings.Repeat("o", 100)+strings.Repeat("n", int(wrote)) || (wrote > 0 && (wrote+100)%512 != 0) {
			t.Fatalf("%d bytes written, %d there", wrote, len(got))
		}
		lengths[int(wrote)] = true
		n.write(f, "again", 100) // the disk goes on
	}
	if len(lengths) != 5 { // none, and up to each of four ends of sectors
		t.Errorf("torn at %v", lengths)
	}
}

// TestFailedSyncDropsThePages: the next one succeeds, the bytes can be read,
// and a power loss brings the old ones back.
func TestFailedSyncDropsThePages(t *testing.T) {
	n := one(t, 1)
	f := n.put(log, "old bytes")
	n.write(f, "new", 0)
	n.Once(simfs.SyncError, nil)
	n.mustBe("sync", f.Sync(), simfs.ErrIO)
	n.must(f.Sync())
	if n.peek(log) != "new bytes" || n.damages() != "{n /d1/t-0/0.log syncerror 0 3}" {
		t.Errorf("contents %q, damage %s", n.peek(log), n.damages())
	}
	n.reboot(simcore.PowerLoss)
	if n.peek(log) != "old bytes" {
		t.Errorf("after a power loss: %q", n.peek(log))
	}
	n.mustFire("disk.syncerror")
}

func TestNameErrors(t *testing.T) {
	n := one(t, 1)
	n.put(log, "data")
	n.SetFaults(simfs.Faults{Share: simfs.Shares{simfs.NameError: 1}, Match: func(name string) bool { return strings.HasPrefix(name, "/d1") }})
	_, err := n.fsys.Create("/d1/x")
	for _, err := range []error{
		err, n.fsys.Remove(log), n.fsys.RemoveAll("/d1"), n.fsys.Rename("/d2/t-1", "/d1/t-1"), n.fsys.MkdirAll("/d1/t-9"), n.fsys.SyncDir("/d1"),
	} {
		n.mustBe("names", err, simfs.ErrIO)
	}
	n.must(n.fsys.MkdirAll("/d2/t-9"))
	n.Heal()
	n.must(n.fsys.SyncDir("/d1"))
	if n.peek(log) != "data" {
		t.Error("a call that failed did something")
	}
	n.mustFire("disk.nameerror")
}

func TestLostAndMisdirectedWrites(t *testing.T) {
	n := one(t, 1)
	f := n.put(log, "old bytes")
	n.Once(simfs.LostWrite, nil)
	n.write(f, "new and longer", 0)
	n.must(f.Sync())
	if got := n.peek(log); got != "old bytes\x00\x00\x00\x00\x00" {
		t.Errorf("after a lost write: %q", got)
	}
	if n.damages() != "{n /d1/t-0/0.log lostwrite 0 14}" {
		t.Errorf("damage %s", n.damages())
	}
	elsewhere := 0
	for seed := range uint64(20) {
		n := one(t, seed)
		f := n.put(log, "old bytes")
		other := n.put("/d1/t-0/0.index", strings.Repeat("i", 2000))
		n.Once(simfs.Misdirect, only(log))
		n.write(f, "NEW", 0)
		n.must(errors.Join(f.Sync(), other.Sync()))
		if strings.Count(n.peek(log)+n.peek("/d1/t-0/0.index"), "NEW") != 1 {
			t.Errorf("the write landed nowhere: %q", n.peek(log))
		}
		if i := strings.Index(n.peek("/d1/t-0/0.index"), "NEW"); i >= 0 {
			elsewhere++
			want := []simfs.Damage{{"n", "/d1/t-0/0.index", simfs.Misdirect, int64(i), 3}, {"n", log, simfs.Misdirect, 0, 3}}
			if !slices.Equal(n.Damages(), want) || n.peek(log) != "old bytes" || i%512 != 0 {
				t.Errorf("landed at %d, damage %s", i, n.damages())
			}
		}
		n.mustFire("disk.misdirect")
	}
	if elsewhere == 0 {
		t.Error("no write ever landed in another file")
	}
}

func TestFullAndRelieved(t *testing.T) {
	n := one(t, 1)
	f := n.put(log, "data")
	n.Fill(4096)
	wrote, err := f.WriteAt(make([]byte, 20_000), 4)
	n.mustBe("write", err, vfs.ErrNoSpace)
	if wrote != 8188 {
		t.Errorf("%d bytes fitted", wrote)
	}
	_, err = n.fsys.Create("/d1/new")
	n.mustBe("create", err, vfs.ErrNoSpace)
	if usage, err := n.fsys.Usage("/"); err != nil || usage.Free != 0 {
		t.Errorf("usage %v, %v", usage, err)
	}
	n.must(f.Truncate(4)) // gives space back
	n.write(f, "more", 4)
	n.reboot(simcore.Kill) // a full disk stays full
	f, err = n.fsys.Open(log)
	n.must(err)
	_, err = f.WriteAt(make([]byte, 20_000), 4)
	n.mustBe("write after a restart", err, vfs.ErrNoSpace)
	n.Relieve()
	n.write(f, strings.Repeat("x", 20_000), 4)
	n.mustFire("disk.full")
}

func TestSlowAndHanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := one(t, 1)
		f := n.put(log, "data")
		took := func(do func()) time.Duration {
			begin := time.Now()
			do()
			return time.Since(begin)
		}
		n.SetFaults(simfs.Faults{Latency: time.Millisecond, SyncLatency: time.Second})
		if d := took(func() { n.write(f, "x", 0) }); d != time.Millisecond {
			t.Errorf("a write took %v", d)
		}
		if d := took(func() { n.must(f.Sync()) }); d != time.Second {
			t.Errorf("a sync took %v", d)
		}
		n.SetFaults(simfs.Faults{SlowMax: time.Hour, Share: simfs.Shares{simfs.Slow: 1}})
		if d := took(func() { n.must(f.Sync()) }); d == 0 || d > time.Hour {
			t.Errorf("a slow sync took %v", d)
		}
		n.Heal()
		release := n.Hang(only(log))
		synced := make(chan error)
		go func() { synced <- f.Sync() }()
		n.must(n.fsys.SyncDir("/d1")) // others go on
		time.Sleep(time.Hour)
		select {
		case <-synced:
			t.Error("a hanging sync returned")
		default:
		}
		release()
		n.must(<-synced)
		// A crash ends who hangs.
		n.Hang(nil)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = f.Sync()
			t.Error("a hanging sync returned to a crashed incarnation")
		}()
		synctest.Wait()
		n.fence.Crash(simcore.PowerLoss)
		<-ended
		n.mustFire("disk.slow", "disk.hang", "process.cut")
	})
}

func TestLostAndReplacedDirectories(t *testing.T) {
	n := one(t, 1)
	f := n.put(log, "data")
	other := n.put("/d2/t-1/0.log", "other")
	n.LoseDir("/d1")
	_, err := f.ReadAt(make([]byte, 4), 0)
	n.mustBe("read", err, simfs.ErrIO)
	_, err = f.WriteAt(make([]byte, 4), 0)
	n.mustBe("write", err, simfs.ErrIO)
	n.mustBe("sync", f.Sync(), simfs.ErrIO)
	_, err = n.fsys.List("/d1/t-0")
	n.mustBe("list", err, simfs.ErrIO)
	_, err = n.fsys.Stat("/d1")
	n.mustBe("stat", err, simfs.ErrIO)
	n.must(other.Sync())
	if n.damages() != "{n /d1 gone 0 0}" {
		t.Errorf("damage %s", n.damages())
	}
	n.ReturnDir("/d1")
	if _, err = f.ReadAt(make([]byte, 4), 0); err != nil || n.damages() != "" {
		t.Errorf("returned: %v, damage %s", err, n.damages())
	}
	n.fence.Crash(simcore.PowerLoss)
	n.must(n.Replace("/d1"))
	n.boot()
	n.reboot(simcore.PowerLoss) // an empty disk stays empty
	if infos, err := n.fsys.List("/d1"); err != nil || len(infos) != 0 || n.peek("/d2/t-1/0.log") != "other" {
		t.Errorf("replaced: %v, %v", infos, err)
	}
	if n.damages() != "{n /d1 gone 0 0}" {
		t.Errorf("damage %s", n.damages())
	}
	n.Recovered("/d1")
	if n.damages() != "" {
		t.Errorf("damage %s", n.damages())
	}
	n.mustFire("disk.lostdir", "disk.replaced")
}

// TestAtlasKeepsCopies: with one copy of three to lose, faults that take one
// hit one node only, until it is healed there.
func TestAtlasKeepsCopies(t *testing.T) {
	atlas := simfs.NewAtlas(1)
	var nodes []*node
	for i := range 3 {
		n := newNode(t, fmt.Sprint("n", i), uint64(i), atlas)
		n.put(log, strings.Repeat("d", 1000))
		n.put("/d2/t-1/0.log", strings.Repeat("e", 1000))
		nodes = append(nodes, n)
	}
	read := func(n *node, name string) {
		f, err := n.fsys.Open(name)
		n.must(err)
		if _, err = f.ReadAt(make([]byte, 100), 0); err != nil && err != io.EOF {
			n.must(err)
		}
		n.must(f.Close())
	}
	for _, n := range nodes {
		n.SetFaults(simfs.Faults{Share: simfs.Shares{simfs.Rot: 1}})
		read(n, log)
	}
	read(nodes[1], "/d2/t-1/0.log") // another thing: its copies are apart
	var hit []string
	for _, d := range atlas.Damages() {
		hit = append(hit, d.Node+d.Path)
	}
	if want := []string{"n0" + log, "n1/d2/t-1/0.log"}; !slices.Equal(hit, want) {
		t.Errorf("damaged: %v", hit)
	}
	nodes[1].mustFire("disk.kept")
	if !atlas.Allows("n0", log) || atlas.Allows("n2", log) || atlas.AllowsNode("n0") {
		t.Error("the atlas allows other damage than it has")
	}
	nodes[0].Heal()
	nodes[0].put(log, "copied again")
	read(nodes[2], log)
	if d := nodes[2].Damages(); len(d) != 1 {
		t.Errorf("after healing: %v", d)
	}
	var none *simfs.Atlas
	if none.Allows("n0", log) || simfs.NewAtlas(0).Allows("n0", log) {
		t.Error("an atlas that keeps all copies allows damage")
	}
}

// history prints what a random series of calls meets on a faulty disk.
func history(t *testing.T, seed uint64, shares simfs.Shares) (trace string) {
	synctest.Test(t, func(t *testing.T) {
		n := one(t, seed)
		var b strings.Builder
		begin := time.Now()
		draw := simcore.NewStreams(seed).Stream("test")
		n.put(log, strings.Repeat("d", 5000))
		n.SetFaults(simfs.Faults{Share: shares, SlowMax: time.Second})
		for i := range 300 {
			var did int
			f, err := n.fsys.Open(log)
			if err == nil {
				p := make([]byte, draw.IntN(3000))
				switch draw.IntN(5) {
				case 0:
					err = f.Sync()
				case 1:
					did, err = f.ReadAt(p, draw.Int64N(5000))
				default:
					did, err = f.WriteAt(p, draw.Int64N(5000))
				}
			}
			fmt.Fprintf(&b, "%d %v %d %v\n", i, time.Since(begin), did, err)
			if i%50 == 49 {
				n.reboot(simcore.Ending(i / 50 % 2))
			}
		}
		fmt.Fprintf(&b, "%v\n%v\n%q\n", n.marks.All(), n.Damages(), n.peek(log))
		trace = b.String()
	})
	return trace
}

func TestSameSeedSameHistory(t *testing.T) {
	var shares simfs.Shares
	for k := range shares {
		shares[k] = 0.1
	}
	first, again, other := history(t, 3, shares), history(t, 3, shares), history(t, 4, shares)
	if first != again {
		t.Error("two histories of one seed differ")
	}
	if first == other {
		t.Error("another seed gives the same history")
	}
}

func BenchmarkWriteSync(b *testing.B) {
	n := one(b, 1)
	f := n.put(log, "")
	p := make([]byte, 256)
	b.ReportAllocs()
	off := int64(0)
	for b.Loop() {
		if _, err := f.WriteAt(p, off%(1<<20)); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		off += 256
	}
}
