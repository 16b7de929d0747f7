package memfs_test

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// modelFile is one file with everything that a crash may leave of it.
type modelFile struct {
	now     []byte
	base    []byte // at the last sync
	lengths map[int]bool
	sectors map[int]map[string]bool // number to contents since the last sync
}

func newModelFile() *modelFile {
	f := &modelFile{}
	f.sync()
	return f
}

func (f *modelFile) sync() {
	f.base = bytes.Clone(f.now)
	f.lengths = map[int]bool{len(f.now): true}
	f.sectors = map[int]map[string]bool{}
}

// sector is the part i of data, filled up with zeros.
func sector(data []byte, i int) string {
	part := make([]byte, 512)
	if from := i * 512; from < len(data) {
		copy(part, data[from:])
	}
	return string(part)
}

// note remembers the state after an op.
func (f *modelFile) note() {
	f.lengths[len(f.now)] = true
	for i := range max(len(f.now), len(f.base))/512 + 1 {
		if f.sectors[i] == nil {
			f.sectors[i] = map[string]bool{sector(f.base, i): true}
		}
		f.sectors[i][sector(f.now, i)] = true
	}
}

// allows reports whether a crash may leave data.
func (f *modelFile) allows(data []byte) bool {
	if !f.lengths[len(data)] {
		return false
	}
	for i := 0; i*512 < len(data); i++ {
		versions := f.sectors[i]
		if versions == nil {
			versions = map[string]bool{sector(f.base, i): true}
		}
		found := false
		for version := range versions {
			end := min(512, len(data)-i*512)
			found = found || version[:end] == string(data[i*512:][:end])
		}
		if !found {
			return false
		}
	}
	return true
}

// TestAgainstModel runs any ops on a few names and compares reads with a plain
// model, and crash clones with all that the model says may be left.
func TestAgainstModel(t *testing.T) {
	names := []string{"a", "b", "c"}
	rapid.Check(t, func(t *rapid.T) {
		fsys := memfs.New()
		current := map[string]*modelFile{}           // nil: no such name
		possible := map[string]map[*modelFile]bool{} // since the last SyncDir
		handles := map[*modelFile]vfs.File{}
		for _, name := range names {
			possible[name] = map[*modelFile]bool{nil: true}
		}
		set := func(name string, f *modelFile) {
			current[name] = f
			possible[name][f] = true
		}
		name := rapid.SampledFrom(names)
		open := func(t *rapid.T) (*modelFile, vfs.File) {
			f := current[name.Draw(t, "name")]
			if f == nil {
				t.Skip("no such file")
			}
			return f, handles[f]
		}
		noError := func(t *rapid.T, err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				at := name.Draw(t, "name")
				h, err := fsys.Create(at)
				noError(t, err)
				f := current[at]
				if f == nil {
					f = newModelFile()
					handles[f] = h
					set(at, f)
				}
				f.now = nil
				f.note()
			},
			"write": func(t *rapid.T) {
				f, h := open(t)
				off := rapid.IntRange(0, 10_000).Draw(t, "off")
				n := rapid.IntRange(1, 6000).Draw(t, "n")
				data := bytes.Repeat([]byte{rapid.Byte().Draw(t, "fill")}, n)
				_, err := h.WriteVecAt([][]byte{data[:n/3], data[n/3:]}, int64(off))
				noError(t, err)
				if len(f.now) < off+n {
					f.now = append(f.now, make([]byte, off+n-len(f.now))...)
				}
				copy(f.now[off:], data)
				f.note()
			},
			"truncate": func(t *rapid.T) {
				f, h := open(t)
				n := rapid.IntRange(0, 12_000).Draw(t, "n")
				noError(t, h.Truncate(int64(n)))
				f.now = append(bytes.Clone(f.now[:min(n, len(f.now))]), make([]byte, max(n-len(f.now), 0))...)
				f.note()
			},
			"sync": func(t *rapid.T) {
				f, h := open(t)
				noError(t, h.Sync())
				f.sync()
			},
			"remove": func(t *rapid.T) {
				at := name.Draw(t, "name")
				if err := fsys.Remove(at); (err == nil) != (current[at] != nil) {
					t.Fatal(err)
				}
				set(at, nil)
			},
			"rename": func(t *rapid.T) {
				from, to := name.Draw(t, "from"), name.Draw(t, "to")
				err := fsys.Rename(from, to)
				if (err == nil) != (current[from] != nil) {
					t.Fatal(err)
				}
				if err == nil && from != to {
					set(to, current[from])
					set(from, nil)
				}
			},
			"syncdir": func(t *rapid.T) {
				noError(t, fsys.SyncDir("/"))
				for _, at := range names {
					possible[at] = map[*modelFile]bool{current[at]: true}
				}
			},
			"go on in a clone": func(t *rapid.T) {
				fsys = fsys.Clone()
				handles = map[*modelFile]vfs.File{}
				for _, at := range names {
					if f := current[at]; f != nil {
						h, err := fsys.Open(at)
						noError(t, err)
						handles[f] = h
					}
				}
			},
			"": func(t *rapid.T) {
				for _, at := range names {
					data, err := vfs.ReadFile(fsys, at, 1<<20)
					f := current[at]
					if (err == nil) != (f != nil) || (f != nil && !bytes.Equal(data, f.now)) {
						t.Fatalf("%s: %d bytes, %v", at, len(data), err)
					}
				}
				for range 2 {
					clone := fsys.CrashClone(rng(rapid.Uint64().Draw(t, "seed")))
					if problem := check(clone, names, possible); problem != "" {
						t.Fatal(problem)
					}
				}
			},
		})
	})
}

// check says what of a clone no crash may leave.
func check(clone *memfs.FS, names []string, possible map[string]map[*modelFile]bool) string {
	for _, at := range names {
		data, err := vfs.ReadFile(clone, at, 1<<20)
		allowed := false
		for f := range possible[at] {
			allowed = allowed || (f == nil && err != nil) || (f != nil && err == nil && f.allows(data))
		}
		if !allowed {
			return fmt.Sprintf("crash left %d bytes of %s, %v", len(data), at, err)
		}
	}
	return ""
}
