// Package vfstest is the contract of vfs.FS as tests, run against every
// implementation. What survives a power loss is tested where power can be
// lost: in disk/memfs.
package vfstest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"testing"

	"github.com/moldau/moldau/disk/vfs"
)

// Config says what to test.
type Config struct {
	// New returns a file system and an existing empty directory in it.
	New func(t *testing.T) (fsys vfs.FS, dir string)
	// Descriptors: files are to implement vfs.Descriptor; else they must not.
	Descriptors bool
}

// Run tests the contract.
func Run(t *testing.T, config Config) {
	cases := []struct {
		name string
		run  func(t *testing.T, s suite)
	}{
		{"what is missing is ErrNotExist", testMissing},
		{"create empties what exists", testCreate},
		{"reads end at the end of the file", testReadAtEnd},
		{"holes and extensions are zeros", testHoles},
		{"vectored writes", testWriteVec},
		{"concurrent writes to disjoint ranges", testConcurrentWrites},
		{"truncate and write again", testTruncate},
		{"what is opened for reading is not written", testReadOnly},
		{"removed and replaced files stay readable", testOpenStaysReadable},
		{"rename replaces in one step", testRenameAtomic},
		{"rename of directories", testRenameDir},
		{"directories", testDirectories},
		{"remove all", testRemoveAll},
		{"sync of files and directories", testSync},
		{"locks exclude", testLock},
		{"usage", testUsage},
		{"a closed file is refused", testClosed},
		{"replace file", testReplaceFile},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fsys, dir := config.New(t)
			c.run(t, suite{FS: fsys, dir: dir, descriptors: config.Descriptors})
		})
	}
}

type suite struct {
	vfs.FS
	dir         string
	descriptors bool
}

func (s suite) path(name string) string { return s.dir + "/" + name }

// put makes a file with contents.
func (s suite) put(t *testing.T, name string, data []byte) vfs.File {
	t.Helper()
	f, err := s.Create(s.path(name))
	must(t, err)
	if n, err := f.WriteAt(data, 0); err != nil || n != len(data) {
		t.Fatalf("write: %d, %v", n, err)
	}
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustClose(t *testing.T, files ...io.Closer) {
	t.Helper()
	for _, f := range files {
		must(t, f.Close())
	}
}

// mustBe fails unless err is want, by errors.Is.
func mustBe(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// contents reads all of f.
func contents(t *testing.T, f vfs.File) []byte {
	t.Helper()
	size, err := f.Size()
	must(t, err)
	data := make([]byte, size)
	if n, err := f.ReadAt(data, 0); int64(n) != size || (err != nil && err != io.EOF) {
		t.Fatalf("read: %d of %d, %v", n, size, err)
	}
	return data
}

func mustHold(t *testing.T, f vfs.File, want []byte) {
	t.Helper()
	if got := contents(t, f); !bytes.Equal(got, want) {
		t.Errorf("%s holds %d bytes %.40q, want %d bytes %.40q", f.Name(), len(got), got, len(want), want)
	}
}

// pattern is n bytes that differ by place and by seed.
func pattern(n int, seed byte) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i) ^ byte(i>>8) ^ seed
	}
	return p
}

func testMissing(t *testing.T, s suite) {
	_, err := s.Open(s.path("none"))
	mustBe(t, "open", err, fs.ErrNotExist)
	_, err = s.OpenRead(s.path("none"))
	mustBe(t, "open for reading", err, fs.ErrNotExist)
	_, err = s.Stat(s.path("none"))
	mustBe(t, "stat", err, fs.ErrNotExist)
	_, err = s.List(s.path("none"))
	mustBe(t, "list", err, fs.ErrNotExist)
	_, err = s.Create(s.path("none/file"))
	mustBe(t, "create", err, fs.ErrNotExist)
	mustBe(t, "remove", s.Remove(s.path("none")), fs.ErrNotExist)
	mustBe(t, "rename", s.Rename(s.path("none"), s.path("other")), fs.ErrNotExist)
	mustBe(t, "syncdir", s.SyncDir(s.path("none")), fs.ErrNotExist)
	must(t, s.RemoveAll(s.path("none")))
}

func testCreate(t *testing.T, s suite) {
	first := s.put(t, "f", []byte("first contents"))
	again, err := s.Create(s.path("f"))
	must(t, err)
	mustHold(t, again, nil)
	mustHold(t, first, nil)
	if again.Name() != s.path("f") {
		t.Errorf("name is %q", again.Name())
	}
	if _, ok := again.(vfs.Descriptor); ok != s.descriptors {
		t.Errorf("file implements Descriptor: %v", ok)
	}
	mustClose(t, first, again)
}

func testReadAtEnd(t *testing.T, s suite) {
	f := s.put(t, "f", pattern(5000, 1))
	p := make([]byte, 100)
	if n, err := f.ReadAt(p, 4900); n != 100 || (err != nil && err != io.EOF) {
		t.Errorf("read up to the end: %d, %v", n, err)
	}
	if n, err := f.ReadAt(p, 4950); n != 50 || err != io.EOF {
		t.Errorf("read across the end: %d, %v", n, err)
	}
	if n, err := f.ReadAt(p, 6000); n != 0 || err != io.EOF {
		t.Errorf("read past the end: %d, %v", n, err)
	}
	if _, err := f.ReadAt(p, -1); err == nil {
		t.Error("read at a negative offset passed")
	}
	mustClose(t, f)
}

func testHoles(t *testing.T, s suite) {
	f := s.put(t, "f", []byte("head"))
	_, err := f.WriteAt([]byte("tail"), 10_000)
	must(t, err)
	must(t, f.Truncate(20_000))
	want := make([]byte, 20_000)
	copy(want, "head")
	copy(want[10_000:], "tail")
	mustHold(t, f, want)
	mustClose(t, f)
}

func testWriteVec(t *testing.T, s suite) {
	f := s.put(t, "f", []byte("0123456789"))
	for _, c := range []struct{ count, length int }{{0, 0}, {1, 7}, {3, 0}, {3, 5000}, {1023, 3}, {1024, 3}, {1025, 3}, {5000, 17}} {
		bufs := make([][]byte, c.count)
		for i := range bufs {
			bufs[i] = pattern(c.length, byte(i))
		}
		if c.count > 2 {
			bufs[1] = nil
		}
		want := append([]byte("0123456789"), bytes.Join(bufs, nil)...)
		n, err := f.WriteVecAt(bufs, 10)
		if err != nil || n != int64(len(want)-10) {
			t.Errorf("%d buffers of %d bytes: wrote %d, %v", c.count, c.length, n, err)
		}
		if rest := bytes.Join(bufs, nil); !bytes.Equal(rest, want[10:]) {
			t.Errorf("%d buffers: the buffers were changed", c.count)
		}
		must(t, f.Truncate(int64(len(want))))
		mustHold(t, f, want)
	}
	mustClose(t, f)
}

func testConcurrentWrites(t *testing.T, s suite) {
	const writers, length = 16, 3000
	f := s.put(t, "f", nil)
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			half := pattern(length, byte(i))
			if _, err := f.WriteVecAt([][]byte{half[:length/3], half[length/3:]}, int64(i*length)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var want []byte
	for i := range writers {
		want = append(want, pattern(length, byte(i))...)
	}
	mustHold(t, f, want)
	mustClose(t, f)
}

func testTruncate(t *testing.T, s suite) {
	f := s.put(t, "f", pattern(9000, 2))
	must(t, f.Truncate(4100))
	mustHold(t, f, pattern(9000, 2)[:4100])
	must(t, f.Truncate(5000))
	mustHold(t, f, append(pattern(9000, 2)[:4100], make([]byte, 900)...))
	must(t, f.Truncate(0))
	mustHold(t, f, nil)
	_, err := f.WriteAt([]byte("anew"), 0)
	must(t, err)
	mustHold(t, f, []byte("anew"))
	if f.Truncate(-1) == nil {
		t.Error("truncation to a negative length passed")
	}
	mustClose(t, f)
}

func testReadOnly(t *testing.T, s suite) {
	mustClose(t, s.put(t, "f", []byte("kept")))
	f, err := s.OpenRead(s.path("f"))
	must(t, err)
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("write passed")
	}
	if _, err := f.WriteVecAt([][]byte{{1}, {2}}, 0); err == nil {
		t.Error("vectored write passed")
	}
	if f.Truncate(0) == nil {
		t.Error("truncation passed")
	}
	mustHold(t, f, []byte("kept"))
	mustClose(t, f)
	f, err = s.Open(s.path("f"))
	must(t, err)
	_, err = f.WriteAt([]byte("l"), 0)
	must(t, err)
	mustHold(t, f, []byte("lept"))
	mustClose(t, f)
}

func testOpenStaysReadable(t *testing.T, s suite) {
	removed, replaced := s.put(t, "removed", pattern(5000, 3)), s.put(t, "replaced", pattern(5000, 4))
	must(t, s.Remove(s.path("removed")))
	mustClose(t, s.put(t, "new", []byte("new")))
	must(t, s.Rename(s.path("new"), s.path("replaced")))
	mustHold(t, removed, pattern(5000, 3))
	mustHold(t, replaced, pattern(5000, 4))
	mustClose(t, removed, replaced)
	now, err := s.OpenRead(s.path("replaced"))
	must(t, err)
	mustHold(t, now, []byte("new"))
	mustClose(t, now)
}

// testRenameAtomic has readers look all the while: they see an old or a new
// file, whole, never none.
func testRenameAtomic(t *testing.T, s suite) {
	const rounds = 200
	mustClose(t, s.put(t, "current", pattern(100, 0)))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				data, err := vfs.ReadFile(s, s.path("current"), 100)
				if err != nil || !bytes.Equal(data, pattern(100, data[0])) {
					t.Errorf("while renaming: %d bytes, %v", len(data), err)
					return
				}
			}
		})
	}
	for i := range rounds {
		mustClose(t, s.put(t, "next", pattern(100, byte(i))))
		must(t, s.Rename(s.path("next"), s.path("current")))
	}
	close(stop)
	readers.Wait()
	mustList(t, s, s.dir, "current")
}

func mustList(t *testing.T, s suite, dir string, want ...string) {
	t.Helper()
	infos, err := s.List(dir)
	must(t, err)
	var got []string
	for _, info := range infos {
		name := info.Name
		if info.Dir {
			name += "/"
		}
		got = append(got, name)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s lists %v, want %v", dir, got, want)
	}
}

func testRenameDir(t *testing.T, s suite) {
	must(t, s.MkdirAll(s.path("topic-0")))
	must(t, s.MkdirAll(s.path("full")))
	f := s.put(t, "topic-0/log", []byte("records"))
	mustClose(t, s.put(t, "full/log", nil), s.put(t, "file", nil))
	must(t, s.Rename(s.path("topic-0"), s.path("topic-0.gone-delete")))
	mustHold(t, f, []byte("records"))
	mustClose(t, f)
	mustList(t, s, s.path("topic-0.gone-delete"), "log")
	for _, c := range []struct{ old, new string }{
		{"topic-0.gone-delete", "full"}, {"topic-0.gone-delete", "file"}, {"file", "full"}, {"full", "full/below"},
	} {
		if s.Rename(s.path(c.old), s.path(c.new)) == nil {
			t.Errorf("rename of %s to %s passed", c.old, c.new)
		}
	}
	mustList(t, s, s.dir, "file", "full/", "topic-0.gone-delete/")
}

func testDirectories(t *testing.T, s suite) {
	must(t, s.MkdirAll(s.path("b/c/d")))
	must(t, s.MkdirAll(s.path("b/c/d")))
	mustClose(t, s.put(t, "a", []byte("12345")), s.put(t, "c", nil))
	mustList(t, s, s.dir, "a", "b/", "c")
	if err := s.MkdirAll(s.path("a/x")); err == nil {
		t.Error("a directory was made below a file")
	}
	if _, err := s.Create(s.path("b")); err == nil {
		t.Error("a directory was opened as a file")
	}
	if err := s.Remove(s.path("b")); err == nil {
		t.Error("a directory that is not empty was removed")
	}
	must(t, s.Remove(s.path("b/c/d")))
	info, err := s.Stat(s.path("a"))
	must(t, err)
	if info.Name != "a" || info.Size != 5 || info.Dir {
		t.Errorf("stat of a file: %+v", info)
	}
	info, err = s.Stat(s.path("b/c"))
	must(t, err)
	if info.Name != "c" || !info.Dir {
		t.Errorf("stat of a directory: %+v", info)
	}
}

func testRemoveAll(t *testing.T, s suite) {
	must(t, s.MkdirAll(s.path("tree/below")))
	open := s.put(t, "tree/below/f", []byte("open"))
	mustClose(t, s.put(t, "tree/g", nil), s.put(t, "lone", nil))
	must(t, s.RemoveAll(s.path("tree")))
	must(t, s.RemoveAll(s.path("lone")))
	mustList(t, s, s.dir)
	mustHold(t, open, []byte("open"))
	mustClose(t, open)
}

func testSync(t *testing.T, s suite) {
	must(t, s.MkdirAll(s.path("d")))
	f := s.put(t, "d/f", pattern(10_000, 5))
	must(t, f.Sync())
	must(t, f.Sync())
	must(t, s.SyncDir(s.path("d")))
	must(t, s.SyncDir(s.dir))
	mustHold(t, f, pattern(10_000, 5))
	mustClose(t, f)
}

func testLock(t *testing.T, s suite) {
	held, err := s.Lock(s.path(".lock"))
	must(t, err)
	_, err = s.Lock(s.path(".lock"))
	mustBe(t, "second lock", err, vfs.ErrLocked)
	// Other opens of the file neither fail nor let the lock go when they end.
	f, err := s.Open(s.path(".lock"))
	must(t, err)
	mustClose(t, f)
	_, err = s.Lock(s.path(".lock"))
	mustBe(t, "lock after another open ended", err, vfs.ErrLocked)
	other, err := s.Lock(s.path(".other"))
	must(t, err)
	mustClose(t, held, other)
	again, err := s.Lock(s.path(".lock"))
	must(t, err)
	mustClose(t, again)
	_, err = s.Lock(s.path("none/.lock"))
	mustBe(t, "lock in a missing directory", err, fs.ErrNotExist)
}

func testUsage(t *testing.T, s suite) {
	u, err := s.Usage(s.dir)
	must(t, err)
	if u.Total <= 0 || u.Free < 0 || u.Free > u.Total {
		t.Errorf("usage: %+v", u)
	}
	_, err = s.Usage(s.path("none"))
	mustBe(t, "usage of a missing directory", err, fs.ErrNotExist)
}

func testClosed(t *testing.T, s suite) {
	f := s.put(t, "f", []byte("data"))
	mustClose(t, f)
	_, err := f.ReadAt(make([]byte, 1), 0)
	mustBe(t, "read", err, fs.ErrClosed)
	_, err = f.WriteAt([]byte("x"), 0)
	mustBe(t, "write", err, fs.ErrClosed)
	_, err = f.WriteVecAt([][]byte{{1}, {2}}, 0)
	mustBe(t, "vectored write", err, fs.ErrClosed)
	_, err = f.Size()
	mustBe(t, "size", err, fs.ErrClosed)
	mustBe(t, "truncate", f.Truncate(0), fs.ErrClosed)
	mustBe(t, "sync", f.Sync(), fs.ErrClosed)
	mustBe(t, "close", f.Close(), fs.ErrClosed)
	if d, ok := f.(vfs.Descriptor); ok {
		mustBe(t, "descriptor", d.WithFd(func(uintptr) error { return nil }), fs.ErrClosed)
	}
}

func testReplaceFile(t *testing.T, s suite) {
	for _, text := range []string{"old and long", "new"} {
		must(t, vfs.ReplaceFile(s, s.dir, "checkpoint", []byte(text)))
		data, err := vfs.ReadFile(s, s.path("checkpoint"), 100)
		if err != nil || string(data) != text {
			t.Errorf("read %q, %v", data, err)
		}
	}
	mustList(t, s, s.dir, "checkpoint")
	if _, err := vfs.ReadFile(s, s.path("checkpoint"), 2); err == nil {
		t.Error("a file above its limit was read")
	}
}
