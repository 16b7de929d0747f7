package proc_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/moldau/moldau/bench/proc"
)

// machine is a /proc of our own.
type machine struct {
	t  *testing.T
	fs proc.FS
}

func newMachine(t *testing.T) *machine { return &machine{t, proc.FS{Dir: t.TempDir()}} }

func (m *machine) write(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.fs.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// process sets a process's times; its name is made to mislead.
func (m *machine) process(pid int, flags, user, system int) {
	m.write(strconv.Itoa(pid)+"/stat",
		fmt.Sprintf("%d (a) b 7 (c) S 1 2 3 0 -1 %d 11 12 13 14 %d %d 999 998 20 0 5 0 100 1 2\n", pid, flags, user, system))
}

func (m *machine) times(user, nice, system, idle, iowait, irq, softirq, steal int) {
	m.write("stat", fmt.Sprintf("cpu  %d %d %d %d %d %d %d %d 77 66\ncpu0 1 1 1 1 1 1 1 1 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0\nintr 5\n",
		user, nice, system, idle, iowait, irq, softirq, steal))
}

func (m *machine) read(at time.Time) proc.Reading {
	m.t.Helper()
	r, err := m.fs.Read(func() time.Time { return at }, 20, 10, 11)
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

const kthread = 0x0020_8040

// TestWhoHadTheProcessors: ten seconds on two processors, of which the two
// servers had 6 s, the driver 4 s, kernel threads 1.5 s, and others 3 s.
func TestWhoHadTheProcessors(t *testing.T) {
	m := newMachine(t)
	m.process(10, 0x400000, 900, 500)
	m.process(11, 0x400000, 100, 0)
	m.process(20, 0x400000, 300, 0)
	m.process(2, kthread, 0, 40)
	m.process(30, 0x400000, 5000, 0)
	m.times(10000, 5, 3000, 90000, 400, 10, 20, 30)
	start := time.Unix(1000, 0)
	before := m.read(start)

	m.process(10, 0x400000, 1150, 650)
	m.process(11, 0x400000, 300, 0)
	m.process(20, 0x400000, 600, 100)
	m.process(2, kthread, 0, 140)
	m.process(3, kthread, 0, 50) // new
	m.process(30, 0x400000, 5200, 0)
	// busy +1450 ticks: 900 user, 5 nice, 500 system, 5 irq, 10 softirq, 30 steal
	m.times(10900, 10, 3500, 90500, 450, 15, 30, 60)
	u := m.read(start.Add(10 * time.Second)).Since(before)

	want := proc.Usage{
		Wall: 10 * time.Second, Server: 6 * time.Second, Driver: 4 * time.Second,
		Kernel: 1500 * time.Millisecond, Others: 3 * time.Second, OthersShare: 0.15,
	}
	if math.Abs(u.OthersShare-want.OthersShare) > 1e-9 {
		t.Errorf("share of others %v", u.OthersShare)
	}
	if w := u.Without(time.Second); w.Others != 2*time.Second || math.Abs(w.OthersShare-0.1) > 1e-9 {
		t.Errorf("without another second: %+v", w)
	}
	if got := (proc.Usage{Wall: u.Wall, Server: u.Server, Driver: u.Driver, Kernel: u.Kernel, Others: u.Others, OthersShare: want.OthersShare}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestRounding: counters that do not add up to the tick never make others negative.
func TestRounding(t *testing.T) {
	m := newMachine(t)
	m.process(10, 0, 0, 0)
	m.process(11, 0, 0, 0)
	m.process(20, 0, 0, 0)
	m.times(100, 0, 0, 0, 0, 0, 0, 0)
	before := m.read(time.Unix(0, 0))
	m.process(10, 0, 51, 0)
	m.process(20, 0, 51, 0)
	m.times(200, 0, 0, 0, 0, 0, 0, 0)
	if u := m.read(time.Unix(1, 0)).Since(before); u.Others != 0 || u.OthersShare != 0 {
		t.Errorf("others %v", u.Others)
	}
}

func TestMemory(t *testing.T) {
	m := newMachine(t)
	m.write("7/status", "Name:\tVmRSS:\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t3\n")
	got, err := m.fs.Memory(7)
	if err != nil || got != (proc.Memory{RSS: 1 << 20, PeakRSS: 2 << 20}) {
		t.Errorf("%+v, %v", got, err)
	}
	m.write("8/status", "Name:\tkthreadd\n")
	if _, err := m.fs.Memory(8); err == nil {
		t.Error("a kernel thread has memory")
	}
}

func TestDamaged(t *testing.T) {
	m := newMachine(t)
	for _, text := range []string{"", "10 (x", "10 (x) S 1 2", "10 (x) S 1 2 3 0 -1 a 11 12 13 14 1 2 3"} {
		m.write("10/stat", text)
		if _, err := m.fs.Process(10); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	for _, text := range []string{"", "cpu 1 2\ncpu0 1\n", "cpu a b c d e f g h\ncpu0\n", "cpu 1 2 3 4 5 6 7 8\n"} {
		m.write("stat", text)
		if _, err := m.fs.Machine(); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// TestOwnTime: the real counters see this process work.
func TestOwnTime(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no /proc")
	}
	f := proc.Real()
	before, err := f.Read(time.Now, 0, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for x := 0; ; x++ {
		if x%1000000 != 0 {
			continue
		}
		now, err := f.Read(time.Now, 0, os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if u := now.Since(before); u.Server >= 50*time.Millisecond {
			if u.Driver != 0 || u.Wall <= 0 {
				t.Errorf("%+v", u)
			}
			break
		}
	}
	if m, err := f.Memory(os.Getpid()); err != nil || m.RSS < 1<<20 || m.PeakRSS < m.RSS {
		t.Errorf("memory %+v, %v", m, err)
	}
}
