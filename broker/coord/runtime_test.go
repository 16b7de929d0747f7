package coord

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock"
)

// scripted is a machine that decides what the test told it to.
type scripted struct {
	next     Outcome
	replayed []string
	loaded   bool
	deadline clock.Mono
}

func (s *scripted) take() Outcome {
	out := s.next
	s.next = Outcome{}
	return out
}

func (s *scripted) Handle(Times, Topics, Request) Outcome         { return s.take() }
func (s *scripted) Deleted(Times, Topics, []DeletedTopic) Outcome { return s.take() }
func (s *scripted) Tick(Times, Topics) Outcome                    { return s.take() }
func (s *scripted) Loaded(Times, Topics)                          { s.loaded = true }
func (s *scripted) Deadline() (clock.Mono, bool)                  { return s.deadline, s.deadline != 0 }

func (s *scripted) Replay(rec Record, offset int64) error {
	if string(rec.Key) == "bad" {
		return errors.New("no such record")
	}
	s.replayed = append(s.replayed, fmt.Sprintf("%d:%s=%s", offset, rec.Key, rec.Value))
	return nil
}

func (s *scripted) Refuse(req kmsg.Request, code kafka.ErrorCode) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
	resp.ErrorCode = int16(code)
	return resp
}

// countingLog appends records by counting them.
type countingLog struct {
	end      int64
	refuse   error
	callBack func() // from within Append
}

func (l *countingLog) Append(_ Times, records []Record) (int64, error) {
	if l.refuse != nil {
		return 0, l.refuse
	}
	l.end += int64(len(records))
	if l.callBack != nil {
		l.callBack()
	}
	return l.end - 1, nil
}

type kinds struct{ seen []string }

func (k *kinds) Emit(ev event.Event) { k.seen = append(k.seen, ev.Kind()) }

type fixture struct {
	rt      *Runtime
	machine *scripted
	log     *countingLog
	events  *kinds
}

func newFixture() *fixture {
	f := &fixture{log: &countingLog{}, events: &kinds{}}
	rt, err := NewRuntime(Config{
		New:    func() Machine { f.machine = &scripted{}; return f.machine },
		Log:    f.log,
		Events: f.events,
	})
	if err != nil {
		panic(err)
	}
	f.rt = rt
	return f
}

func (f *fixture) active() *fixture {
	f.rt.Begin(0)
	f.rt.Loaded(Times{}, nil, 0, 0)
	return f
}

func (f *fixture) handle(token Token, out Outcome) []Reply {
	if f.machine != nil {
		f.machine.next = out
	}
	return slices.Clone(f.rt.Handle(Times{}, nil, Request{Token: token, Body: kmsg.NewPtrHeartbeatRequest()}))
}

func answer() kmsg.Response { return kmsg.NewPtrHeartbeatResponse() }

func code(r Reply) kafka.ErrorCode {
	return kafka.ErrorCode(r.Response.(*kmsg.HeartbeatResponse).ErrorCode)
}

func records(n int) []Record { return make([]Record, n) }

func TestConfigIsComplete(t *testing.T) {
	for _, cfg := range []Config{
		{}, {New: func() Machine { return nil }, Log: &countingLog{}},
		{Log: &countingLog{}, Events: event.Discard{}}, {New: func() Machine { return nil }, Events: event.Discard{}},
	} {
		if _, err := NewRuntime(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}

// TestRefusedByState checks what a request gets in every state.
func TestRefusedByState(t *testing.T) {
	f := newFixture()
	expect := func(want kafka.ErrorCode) {
		t.Helper()
		got := f.handle(1, Outcome{Immediate: []Reply{{1, answer()}}})
		if len(got) != 1 || code(got[0]) != want {
			t.Fatalf("%s: %v, want %s", f.rt.State(), got, want)
		}
	}
	expect(kafka.ErrNotCoordinator)
	f.rt.Begin(0)
	expect(kafka.ErrCoordinatorLoadInProgress)
	f.rt.Loaded(Times{}, nil, 0, 0)
	expect(kafka.ErrNone)
	f.rt.Fail(errors.New("disk"))
	expect(kafka.ErrCoordinatorNotAvailable)
	if f.rt.Err() == nil || f.rt.Machine() != nil {
		t.Fatal("failed without an error, or with a machine")
	}
	f.rt.Begin(0)
	expect(kafka.ErrCoordinatorLoadInProgress)
	f.rt.Unload()
	expect(kafka.ErrNotCoordinator)
}

// TestLoadedAboveHighWatermark: what was loaded counts as not committed until
// the high watermark says so.
func TestLoadedAboveHighWatermark(t *testing.T) {
	f := newFixture()
	f.rt.Begin(3)
	if err := f.rt.Replay(Record{Key: []byte("k"), Value: []byte("v")}, 3); err != nil {
		t.Fatal(err)
	}
	f.rt.Loaded(Times{}, nil, 7, 5)
	f.log.end = 7
	if got := f.handle(1, Outcome{Replies: []Reply{{1, answer()}}, Barrier: true}); len(got) != 0 {
		t.Fatalf("a read of uncommitted state left: %v", got)
	}
	if got := f.handle(2, Outcome{Replies: []Reply{{2, answer()}}}); len(got) != 1 {
		t.Fatalf("a reply without a barrier waits")
	}
	if got := f.rt.Committed(6); len(got) != 0 {
		t.Fatalf("left at 6 of 7: %v", got)
	}
	if got := f.rt.Committed(7); len(got) != 1 || got[0].Token != 1 {
		t.Fatalf("at 7: %v", got)
	}
}

// TestFailedAppend: everybody who waits gets an error, in the order of tokens.
func TestFailedAppend(t *testing.T) {
	f := newFixture().active()
	f.handle(5, Outcome{})
	f.handle(3, Outcome{Records: records(1), Replies: []Reply{{3, answer()}}})
	f.log.refuse = ErrTooLarge
	got := f.handle(7, Outcome{Records: records(1), Replies: []Reply{{7, answer()}}})
	if len(got) != 3 || got[0].Token != 3 || got[1].Token != 5 || got[2].Token != 7 {
		t.Fatalf("%v", got)
	}
	for _, r := range got {
		if code(r) != kafka.ErrCoordinatorNotAvailable {
			t.Errorf("token %d got %s", r.Token, code(r))
		}
	}
	if f.rt.State() != Failed || !errors.Is(f.rt.Err(), ErrTooLarge) {
		t.Fatalf("%s: %v", f.rt.State(), f.rt.Err())
	}
	if got := f.rt.Committed(100); len(got) != 0 {
		t.Fatalf("a failed coordinator answered %v", got)
	}
	if _, ok := f.rt.Deadline(); ok {
		t.Fatal("a failed coordinator has a deadline")
	}
}

// TestCallsFromAppend: the log may learn at once that the records are
// committed, or that they never will be.
func TestCallsFromAppend(t *testing.T) {
	f := newFixture().active()
	f.handle(1, Outcome{Records: records(1), Replies: []Reply{{1, answer()}}})
	f.log.callBack = func() { f.rt.Committed(f.log.end) }
	got := f.handle(2, Outcome{Immediate: []Reply{{2, answer()}}, Records: records(1)})
	if len(got) != 2 || got[0].Token != 2 || got[1].Token != 1 {
		t.Fatalf("%v", got)
	}
	if got := f.handle(3, Outcome{Records: records(2), Replies: []Reply{{3, answer()}}}); len(got) != 1 {
		t.Fatalf("%v", got)
	}
	f.log.callBack = func() { f.rt.Fail(errors.New("disk")) }
	got = f.handle(4, Outcome{Records: records(1), Replies: []Reply{{4, answer()}}})
	if len(got) != 1 || code(got[0]) != kafka.ErrCoordinatorNotAvailable || f.rt.State() != Failed {
		t.Fatalf("%v in %s: %v", got, f.rt.State(), f.rt.Err())
	}
}

// TestReplayBatch loads batches: records, a control batch, gaps, and a record
// that is not understood.
func TestReplayBatch(t *testing.T) {
	f := newFixture()
	f.rt.Begin(0)
	var enc Encoder
	load := func(base int64, b []byte) {
		t.Helper()
		h, _, _, err := batch.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		h.BaseOffset = base
		if err := f.rt.ReplayBatch(h, b[batch.HeaderSize:]); err != nil {
			t.Fatal(err)
		}
	}
	b, err := enc.Encode(Times{Wall: 9}, []Record{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("bad")}, {Key: []byte("b")}}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	load(4, b)
	c, err := batch.EncodeControl(batch.BuilderOptions{}, 9, batch.Control{Type: batch.ControlCommit, EndTxn: &batch.EndTxnMarker{}})
	if err != nil {
		t.Fatal(err)
	}
	load(10, c)
	f.rt.Loaded(Times{}, nil, 11, 11)
	if got := fmt.Sprint(f.machine.replayed); got != "[4:a=1 6:b=]" {
		t.Errorf("replayed %s", got)
	}
	if !f.machine.loaded || fmt.Sprint(f.events.seen) != "[coordinator-record-unreadable]" {
		t.Errorf("loaded %t, events %v", f.machine.loaded, f.events.seen)
	}
	h, _, _, _ := batch.Next(b)
	h.BaseOffset = 20
	f.rt.Begin(0)
	if err := f.rt.ReplayBatch(h, b[batch.HeaderSize:len(b)-1]); err == nil {
		t.Error("a damaged batch loaded")
	}
}

func TestEncodeLimit(t *testing.T) {
	recs := []Record{{Key: []byte("key"), Value: make([]byte, 300)}, {Key: []byte("k2")}}
	var enc Encoder
	b, err := enc.Encode(Times{Wall: 1}, recs, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if !Fits(recs, BatchSizeMax(recs)) || Fits(recs, BatchSizeMax(recs)-1) || len(b) > BatchSizeMax(recs) {
		t.Fatalf("%d bytes, at most %d expected", len(b), BatchSizeMax(recs))
	}
	if _, err := enc.Encode(Times{}, recs, len(b)); err != nil {
		t.Fatal(err)
	}
	if _, err := enc.Encode(Times{}, recs, len(b)-1); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("%v", err)
	}
}

// TestRuntimeModel: whatever the machine decides, and however the high
// watermark, failures and leadership go, every token is answered exactly once,
// no reply leaves before its time, and waiting replies keep their order.
func TestRuntimeModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFixture().active()
		type promise struct{ after int64 }
		open := map[Token]*promise{} // nil: not decided
		var order []Token            // decided, waiting
		token, hw := Token(0), int64(0)
		took := func(replies []Reply, dropped kafka.ErrorCode) {
			for _, r := range replies {
				p, ok := open[r.Token]
				if !ok {
					t.Fatalf("token %d answered twice, or never asked", r.Token)
				}
				delete(open, r.Token)
				if c := code(r); c != kafka.ErrNone {
					if c != dropped {
						t.Fatalf("token %d got %s, want %s", r.Token, c, dropped)
					}
					continue
				}
				if p == nil || p.after > hw {
					t.Fatalf("token %d left at high watermark %d, decided %+v", r.Token, hw, p)
				}
				if i := slices.Index(order, r.Token); i > 0 {
					t.Fatalf("token %d left before %v", r.Token, order[:i])
				} else if i == 0 {
					order = order[1:]
				}
			}
		}
		forget := func() {
			if len(open) != 0 {
				t.Fatalf("dropped, and %d tokens have no answer", len(open))
			}
			order = nil
		}
		decide := func(self Token) Outcome {
			var out Outcome
			out.Records = records(rapid.IntRange(0, 2).Draw(t, "records"))
			out.Barrier = rapid.Bool().Draw(t, "barrier")
			after := hw
			if end := f.log.end + int64(len(out.Records)); len(out.Records) > 0 || out.Barrier {
				after = end
			}
			for tok := Token(1); tok <= token; tok++ {
				if p, ok := open[tok]; !ok || p != nil || !rapid.Bool().Draw(t, "answered") {
					continue
				}
				if tok == self && rapid.Bool().Draw(t, "immediate") {
					open[tok] = &promise{}
					out.Immediate = append(out.Immediate, Reply{tok, answer()})
					continue
				}
				open[tok] = &promise{after}
				if after > hw {
					order = append(order, tok)
				}
				out.Replies = append(out.Replies, Reply{tok, answer()})
			}
			return out
		}
		t.Repeat(map[string]func(*rapid.T){
			"handle": func(*rapid.T) {
				if f.rt.State() != Active {
					return
				}
				token++
				open[token] = nil
				out := decide(token)
				took(f.handle(token, out), kafka.ErrNone)
			},
			"tick": func(*rapid.T) {
				if f.rt.State() == Active {
					f.machine.next = decide(0)
					took(f.rt.Tick(Times{}, nil), kafka.ErrNone)
				}
			},
			"commit": func(t *rapid.T) {
				if f.rt.State() == Active {
					hw = rapid.Int64Range(hw, f.log.end).Draw(t, "hw")
					took(f.rt.Committed(hw), kafka.ErrNone)
				}
			},
			"refuse": func(*rapid.T) {
				if f.rt.State() != Active {
					return
				}
				f.log.refuse = errors.New("no")
				f.machine.next = Outcome{Records: records(1)}
				took(f.rt.Deleted(Times{}, nil, nil), kafka.ErrCoordinatorNotAvailable)
				f.log.refuse = nil
				forget()
			},
			"fail": func(*rapid.T) {
				took(f.rt.Fail(errors.New("x")), kafka.ErrCoordinatorNotAvailable)
				forget()
			},
			"unload": func(*rapid.T) {
				took(f.rt.Unload(), kafka.ErrNotCoordinator)
				forget()
			},
			"begin": func(*rapid.T) {
				took(f.rt.Begin(0), kafka.ErrNotCoordinator)
				forget()
				f.rt.Loaded(Times{}, nil, f.log.end, hw)
			},
			"": func(t *rapid.T) {
				if f.rt.Waiting() != len(open) {
					t.Fatalf("%d wait, %d expected", f.rt.Waiting(), len(open))
				}
			},
		})
	})
}

func TestPartitionFor(t *testing.T) {
	// As Java: Math.abs of hashCode would differ for the least integer.
	for _, c := range []struct {
		key  string
		n    int32
		want int32
	}{
		{"", 50, 0}, {"group", 50, 98629247 % 50}, {"polygenelubricants", 50, 0}, {"a\U0001F600", 1000, 0},
	} {
		want := c.want
		if c.key == "a\U0001F600" {
			h := uint32(31*31*97) + 31*0xd83d + 0xde00
			want = int32(h&0x7fffffff) % c.n
		}
		if got := PartitionFor(c.key, c.n); got != want {
			t.Errorf("partition of %q among %d: %d, want %d", c.key, c.n, got, want)
		}
	}
}

// TestWaitingIsBounded: memory of replies that left is given back.
func TestWaitingIsBounded(t *testing.T) {
	f := newFixture().active()
	for i := range Token(10_000) {
		f.handle(i+1, Outcome{Records: records(1), Replies: []Reply{{i + 1, answer()}}})
		if i >= 10 {
			f.rt.Committed(int64(i) - 9)
		}
	}
	if n := cap(f.rt.waiting); n > 100 {
		t.Errorf("room for %d waiting replies, though at most 11 waited", n)
	}
	if f.rt.Waiting() != 10 {
		t.Errorf("%d wait", f.rt.Waiting())
	}
}

func BenchmarkHandleCommitted(b *testing.B) {
	f := newFixture().active()
	body, resp := kmsg.NewPtrHeartbeatRequest(), answer()
	recs := records(1)
	for i := 0; b.Loop(); i++ {
		f.machine.next = Outcome{Records: recs, Replies: []Reply{{Token(i), resp}}}
		f.rt.Handle(Times{Mono: clock.Mono(time.Second)}, nil, Request{Token: Token(i), Body: body})
		if i%16 == 15 {
			f.rt.Committed(f.log.end)
		}
	}
}

func (m *scripted) Census() []Count { return nil }
