package simcore_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/internal/simcore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const op simcore.Op = "test.call"

// call runs a seam call whose work is work, and reports on ended that its
// goroutine is over, and whether the call returned.
func call(f *simcore.Fence, work func()) (ended chan bool) {
	ended = make(chan bool, 1)
	go func() {
		returned := false
		defer func() { ended <- returned }()
		f.Enter(op, "name")
		work()
		f.Leave(op, "name")
		returned = true
	}()
	return ended
}

func TestCrashEndsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		marks := simcore.NewMarks(nil)
		f := simcore.NewFence(marks)
		var order []string
		f.OnCrash(func(how simcore.Ending) { order = append(order, "first "+how.String()) })
		f.OnCrash(func(simcore.Ending) {
			order = append(order, "second")
			if f.Alive() || f.Crash(simcore.Kill) {
				t.Error("alive while it crashes")
			}
		})
		proceed := make(chan struct{})
		under := call(f, func() { <-proceed })
		waits := call(f, func() { f.Wait(make(chan struct{})) })
		sleeps := call(f, func() { f.Sleep(simcore.ProcessTime{}, time.Hour, nil) })
		synctest.Wait()
		if !f.Crash(simcore.PowerLoss) || f.Crash(simcore.Kill) {
			t.Error("crashed not exactly once")
		}
		if !slices.Equal(order, []string{"first power loss", "second"}) || f.Context().Err() == nil {
			t.Errorf("told %v, context %v", order, f.Context().Err())
		}
		close(proceed)
		late := call(f, func() { t.Error("a call began after the crash") })
		for _, ended := range []chan bool{under, waits, sleeps, late} {
			if <-ended {
				t.Error("a call returned")
			}
		}
		if marks.Fired("process.cut") != 3 || marks.Fired("process.fenced") != 1 || marks.Fired("process.power loss") != 1 {
			t.Errorf("marks %v", marks.All())
		}
		if f.Pause() || f.Resume() {
			t.Error("a crashed incarnation was paused")
		}
		told := false
		f.OnCrash(func(simcore.Ending) { told = true })
		if !told {
			t.Error("who asks after the crash is not told")
		}
	})
}

func TestPauseFreezesCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		marks := simcore.NewMarks(nil)
		f := simcore.NewFence(marks)
		proceed, did := make(chan struct{}), false
		under := call(f, func() { <-proceed; did = true })
		synctest.Wait()
		if !f.Pause() || f.Pause() || !f.Paused() || !f.Alive() {
			t.Error("not paused exactly once")
		}
		close(proceed)
		began := call(f, func() {})
		synctest.Wait()
		if !did || len(under) > 0 || len(began) > 0 {
			t.Error("a call passed the pause")
		}
		resumed := false
		f.OnResume(func() { resumed = true })
		if !f.Resume() || f.Resume() || !resumed || !<-under || !<-began {
			t.Error("calls did not go on")
		}
		if marks.Fired("process.frozen") != 2 {
			t.Errorf("marks %v", marks.All())
		}
		// A crash ends those whom a pause holds.
		f.Pause()
		held := call(f, func() {})
		synctest.Wait()
		f.Crash(simcore.Kill)
		if <-held {
			t.Error("a call that was held returned")
		}
	})
}

func TestTraps(t *testing.T) {
	f := simcore.NewFence(nil)
	hits := 0
	disarm := f.Arm(simcore.Trap{Ops: []simcore.Op{op}, Nth: 3, Do: func() { hits++ }})
	f.Arm(simcore.Trap{Ops: []simcore.Op{"other"}, Do: func() { t.Error("another call's trap went off") }})
	f.Arm(simcore.Trap{Match: func(name string) bool { return name != "name" }, Do: func() { t.Error("another name's trap went off") }})
	for i := range 5 {
		<-call(f, func() {})
		if want := i / 2; hits != min(want, 1) {
			t.Errorf("after call %d: %d", i+1, hits)
		}
	}
	disarm()
	f.Arm(simcore.Trap{Do: func() { t.Error("a trap that was taken away went off") }})()
	<-call(f, func() {})
	f.Arm(simcore.Trap{Where: simcore.After})
	did := false
	if <-call(f, func() { did = true }) || !did || f.Alive() {
		t.Error("no crash after the call")
	}
}

// TestThousandCrashes leave no goroutine, even of code whose deferred calls
// enter again.
func TestThousandCrashes(t *testing.T) {
	for i := range 1000 {
		f := simcore.NewFence(nil)
		ended := call(f, func() {
			defer f.Enter(op, "")
			defer f.Leave(op, "")
			f.Wait(nil)
		})
		f.Crash(simcore.Ending(i % 2))
		if <-ended {
			t.Fatal("a call returned")
		}
	}
}

func TestStreamsAreApart(t *testing.T) {
	draw := func(s simcore.Streams, name string) uint64 { return s.Stream(name).Uint64() }
	s := simcore.NewStreams(1)
	seen := map[uint64]bool{}
	for _, v := range []uint64{
		draw(s, "a"), draw(s, "b"), draw(simcore.NewStreams(2), "a"), draw(s.Sub("n1"), "a"), draw(s.Sub("n2"), "a"),
	} {
		if seen[v] {
			t.Error("two streams begin alike")
		}
		seen[v] = true
	}
	if draw(s, "a") != draw(simcore.NewStreams(1), "a") {
		t.Error("a stream does not follow from seed and name")
	}
}

func TestMarks(t *testing.T) {
	var told []string
	m := simcore.NewMarks(func(name, detail string) { told = append(told, name+" "+detail) })
	m.Counter("b").Hit("x")
	m.Counter("a").Add()
	m.Counter("b").Add()
	m.Counter("never")
	if !slices.Equal(m.All(), []simcore.Mark{{"a", 1}, {"b", 2}}) || !slices.Equal(told, []string{"b x"}) || m.Fired("b") != 2 {
		t.Errorf("marks %v, told %v", m.All(), told)
	}
	var none *simcore.Marks
	none.Counter("a").Hit("")
	if none.All() != nil || none.Fired("a") != 0 {
		t.Error("no marks counted something")
	}
}
