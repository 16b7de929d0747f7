package linearizability_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/moldau/moldau/linearizability"
	"github.com/moldau/moldau/linearizability/history"
)

// drawFrom draws from rapid, which shrinks towards small numbers.
func drawFrom(t *rapid.T) draw {
	return func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") }
}

// TestModelIsOK: what a correct broker answers is never a violation, and the
// format keeps it.
func TestModelIsOK(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawFrom(t)
		h := newModelHistory(d, 1+d(4), 1+d(30))
		options := linearizability.Options{WindowOps: 3 + d(10)}
		report := linearizability.Check(h, options)
		if report.Verdict().Status != linearizability.StatusOK {
			t.Fatal(report.String())
		}
		var text bytes.Buffer
		if err := history.Write(&text, h); err != nil {
			t.Fatal(err)
		}
		first := text.String()
		back, err := history.Load(&text, history.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := history.Write(&again, back); err != nil || again.String() != first {
			t.Fatalf("the history came back different: %v", err)
		}
	})
}

// mutations each make a lie of one answer. They return false where there is
// nothing to lie about.
var mutations = map[string]func(h *history.History, pick func(n int) int) bool{
	"the last record is lost": func(h *history.History, _ func(int) int) bool {
		last := &h.Ops[len(h.Ops)-1]
		n := len(last.Read.Records)
		if n == 0 || !acknowledged(h, last.Read.Records[n-1].Value) {
			return false
		}
		last.Read.Records = last.Read.Records[:n-1]
		for i := range h.Ops {
			if r := h.Ops[i].Read; r != nil && r.Final {
				r.HighWatermark, r.LastStable = r.HighWatermark-1, r.LastStable-1
			}
		}
		return true
	},
	"two records are swapped": func(h *history.History, _ func(int) int) bool {
		records := h.Ops[len(h.Ops)-1].Read.Records
		if len(records) < 2 || !acknowledged(h, records[0].Value) {
			return false
		}
		a, b := &records[0], &records[len(records)-1]
		a.Value, b.Value = b.Value, a.Value
		return true
	},
	"a record is duplicated": func(h *history.History, _ func(int) int) bool {
		last := &h.Ops[len(h.Ops)-1]
		n := len(last.Read.Records)
		if n == 0 {
			return false
		}
		again := last.Read.Records[0]
		again.Offset = last.Read.Records[n-1].Offset + 1
		last.Read.Records = append(last.Read.Records, again)
		last.Read.HighWatermark, last.Read.LastStable = again.Offset+1, again.Offset+1
		return true
	},
	"a value is made up": mutateOp(func(op *history.Op, pick func(int) int) bool {
		if op.Read == nil || len(op.Read.Records) == 0 {
			return false
		}
		op.Read.Records[pick(len(op.Read.Records))].Value = 1 << 40
		return true
	}),
	"a record is left out": mutateOp(func(op *history.Op, _ func(int) int) bool {
		if op.Kind != history.KindFetch || len(op.Read.Records) < 3 {
			return false
		}
		op.Read.Records = append(op.Read.Records[:1:1], op.Read.Records[2:]...)
		return true
	}),
	"an acknowledgement names the next offset": mutateOp(func(op *history.Op, _ func(int) int) bool {
		if op.Produce == nil || !op.OK() {
			return false
		}
		op.Produce.BaseOffset++
		return true
	}),
	"a high watermark lies above the end": mutateOp(func(op *history.Op, _ func(int) int) bool {
		if op.Read == nil || op.Read.Final {
			return false
		}
		op.Read.HighWatermark += 1000
		return true
	}),
	"the latest offset goes back": func(h *history.History, _ func(int) int) bool {
		for i := range h.Ops {
			if l := h.Ops[i].ListOffsets; l != nil && l.Target == history.Latest {
				for j := range h.Ops {
					if h.Ops[j].Produce != nil && h.Ops[j].OK() && h.Ops[j].Return < h.Ops[i].Invoke {
						l.Offset = 0
						return true
					}
				}
			}
		}
		return false
	},
	"a time is looked up wrongly": func(h *history.History, _ func(int) int) bool {
		for i := range h.Ops {
			if l := h.Ops[i].ListOffsets; l != nil && l.Target >= 0 && l.Offset >= h.Ops[len(h.Ops)-1].Read.LogStart {
				l.Offset++
				return true
			}
		}
		return false
	},
	"an offset that nobody committed": mutateOp(func(op *history.Op, _ func(int) int) bool {
		if op.Kind != history.KindFetchOffset {
			return false
		}
		op.Offset.Value = 99
		return true
	}),
	"a setting that nobody made": func(h *history.History, _ func(int) int) bool {
		for i := range h.Ops {
			for j := range h.Ops {
				if read, write := &h.Ops[i], &h.Ops[j]; read.Kind == history.KindDescribeConfig && write.Kind == history.KindAlterConfig && write.OK() && write.Return < read.Invoke {
					read.Config.Value = "never"
					return true
				}
			}
		}
		return false
	},
	"a producer id is given twice": func(h *history.History, _ func(int) int) bool {
		last := h.Ops[len(h.Ops)-1]
		init := history.Op{ID: last.ID + 1, Client: "z", Kind: history.KindInitProducerID, Invoke: last.Return, Return: last.Return, Outcome: history.OutcomeOK, Producer: &history.Producer{ID: 0}}
		h.Ops = append(h.Ops, init)
		return true
	},
}

// mutateOp makes a mutation of the first operation, from a random one on, that
// takes it.
func mutateOp(do func(*history.Op, func(int) int) bool) func(*history.History, func(int) int) bool {
	return func(h *history.History, pick func(int) int) bool {
		from := pick(len(h.Ops))
		for i := range h.Ops {
			if do(&h.Ops[(from+i)%len(h.Ops)], pick) {
				return true
			}
		}
		return false
	}
}

func acknowledged(h *history.History, value uint64) bool {
	for i := range h.Ops {
		if h.Ops[i].OK() && h.Ops[i].Produce != nil {
			for _, record := range h.Ops[i].Produce.Records {
				if record.Value == value {
					return true
				}
			}
		}
	}
	return false
}

// TestMutationsAreFound: each lie is found in most histories in which it can be
// told, and whenever it is told it is a violation.
func TestMutationsAreFound(t *testing.T) {
	for name, mutate := range mutations {
		t.Run(name, func(t *testing.T) {
			told := 0
			for seed := range uint64(120) {
				rng := rand.New(rand.NewPCG(seed, 1))
				h := newModelHistory(rng.IntN, 3, 20)
				if len(h.Events) > 1 || !mutate(h, rng.IntN) { // what power loss took could be lawful
					continue
				}
				told++
				report := linearizability.Check(h, linearizability.Options{})
				if report.Verdict().Status != linearizability.StatusViolation {
					t.Fatalf("seed %d: %s", seed, report.String())
				}
			}
			if told < 10 {
				t.Fatalf("told %d times only", told)
			}
		})
	}
}

// BenchmarkCheck judges 100,000 operations of eight clients on one partition.
func BenchmarkCheck(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	h := newModelHistory(func(n int) int {
		if n == 20 || n == 8 { // answers are seldom lost
			n *= 20
		}
		return rng.IntN(n)
	}, 8, 12_500)
	b.ResetTimer()
	for b.Loop() {
		if report := linearizability.Check(h, linearizability.Options{}); report.Verdict().Status != linearizability.StatusOK {
			b.Fatal(report.String())
		}
	}
	records := 0
	for i := range h.Ops {
		if r := h.Ops[i].Read; r != nil {
			records += len(r.Records)
		}
	}
	b.ReportMetric(float64(len(h.Ops)), "histops")
	b.ReportMetric(float64(records), "recordsread")
}

// TestPowerLossUnderSyncIsFound: what excuses loss under "os" is a violation
// under "sync" whenever a record was lost of which somebody had been told.
func TestPowerLossUnderSyncIsFound(t *testing.T) {
	lost := 0
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 2))
		h := newModelHistory(rng.IntN, 3, 20)
		if len(h.Events) < 2 || !lostOne(h) {
			continue
		}
		lost++
		if report := linearizability.Check(h, linearizability.Options{}); report.Verdict().Status != linearizability.StatusOK {
			t.Fatalf("seed %d: under os: %s", seed, report.String())
		}
		h.Topics[0].Durability = history.DurabilitySync
		if report := linearizability.Check(h, linearizability.Options{}); report.Verdict().Status != linearizability.StatusViolation {
			t.Fatalf("seed %d: under sync: %s", seed, report.String())
		}
	}
	if lost < 10 {
		t.Fatalf("only %d histories lost something", lost)
	}
}

// lostOne reports whether an acknowledged record that nobody deleted is gone.
func lostOne(h *history.History) bool {
	kept := map[uint64]bool{}
	for i := range h.Ops {
		op := &h.Ops[i]
		if op.Delete != nil {
			return false
		}
		if op.Read != nil && op.Read.Final {
			for _, record := range op.Read.Records {
				kept[record.Value] = true
			}
		}
	}
	for i := range h.Ops {
		if op := &h.Ops[i]; op.OK() && op.Produce != nil && !kept[op.Produce.Records[0].Value] {
			return true
		}
	}
	return false
}
