package linearizability_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/moldau/moldau/linearizability"
	"github.com/moldau/moldau/linearizability/history"
)

// TestUnknownIsBroken: a search that runs out of time is no verdict, and never
// ok. So many writes at once, and a read that no order of them explains, take
// longer than any machine has.
func TestUnknownIsBroken(t *testing.T) {
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, "alter-config c%d 1-5 n=x val=%d\n", i, i)
	}
	for i := range 3 {
		fmt.Fprintf(&text, "describe-config r%d %d-%d n=x val=%d\n", i, 6+2*i, 7+2*i, i%2)
	}
	report := linearizability.Check(parseScript(t, text.String()), linearizability.Options{Only: []string{"registers"}, SearchMax: 20 * time.Millisecond})
	verdict := report.Verdict()
	if verdict.Status != linearizability.StatusBroken || !strings.Contains(verdict.String(), "no answer within 20ms") {
		t.Fatal(report.String())
	}
}

// TestPicture: a search that found no order shows what it tried.
func TestPicture(t *testing.T) {
	report := linearizability.Check(parseScript(t, "alter-config c1 1-2 n=x val=1\ndescribe-config c1 3-4 n=x val=2"), linearizability.Options{Only: []string{"registers"}})
	if picture := report.Verdict().Picture; !bytes.Contains(picture, []byte("<html")) {
		t.Fatalf("%s, %d bytes of picture", report.String(), len(picture))
	}
}

// TestNoSuchChecker names those that there are.
func TestNoSuchChecker(t *testing.T) {
	report := linearizability.Check(&history.History{}, linearizability.Options{Only: []string{"guess"}})
	if verdict := report.Verdict(); verdict.Status != linearizability.StatusBroken || !strings.Contains(verdict.Text, "log-order") {
		t.Fatal(report.String())
	}
}

// TestRegisterAgainstBruteForce: with one window the search says what trying
// every order says; with small windows it never says more.
func TestRegisterAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawFrom(t)
		h, first := randomRegister(d), int64(-1)
		if d(2) == 0 {
			first = anyValue
			asSettings(h)
		}
		legal := bruteForce(h.Ops, 0, first, map[string]bool{})
		verdict := func(window int) linearizability.Status {
			report := linearizability.Check(h, linearizability.Options{Only: []string{"registers"}, WindowOps: window})
			return report.Verdict().Status
		}
		if got := verdict(100); (got == linearizability.StatusOK) != legal {
			t.Fatalf("one window says %s, by brute force it is legal: %t\n%s", got, legal, explain(h))
		}
		if got := verdict(1 + d(3)); got != linearizability.StatusOK && legal {
			t.Fatalf("small windows say %s, by brute force it is legal\n%s", got, explain(h))
		}
	})
}

// randomRegister is a short history of one committed offset, right or not.
func randomRegister(d draw) *history.History {
	h := &history.History{End: 1000, Topics: []history.Topic{{ID: "id-t", Name: "t", Partitions: 1, Durability: history.DurabilitySync}}}
	for i := range 1 + d(7) {
		op := history.Op{ID: int64(i + 1), Client: fmt.Sprint("c", i), Kind: history.KindCommitOffset, Topic: "id-t", Invoke: int64(d(30)), Outcome: history.OutcomeOK}
		op.Return = op.Invoke + int64(d(12))
		op.Offset = &history.Offset{Group: "g", Generation: -1, CoordinatorEpoch: -1, Value: int64(d(3))}
		switch d(5) {
		case 0, 1:
			op.Kind = history.KindFetchOffset
			op.Offset.Value--
		case 2:
			op.Outcome = history.OutcomeMaybe
		}
		h.Ops = append(h.Ops, op)
	}
	return h
}

// anyValue is the first value of a register of which nobody knows it.
const anyValue = -99

// asSettings makes the register a setting. Its offset stays for bruteForce.
func asSettings(h *history.History) {
	for i := range h.Ops {
		op := &h.Ops[i]
		op.Config = &history.Config{Resource: "topic/id-t", Name: "x", Value: fmt.Sprint(op.Offset.Value)}
		if op.Kind == history.KindFetchOffset {
			op.Kind = history.KindDescribeConfig
		} else {
			op.Kind = history.KindAlterConfig
		}
	}
}

// bruteForce tries every order: done is the set of those placed, value the
// register's. Writes of unknown fate may stay out.
func bruteForce(ops []history.Op, done int, value int64, tried map[string]bool) bool {
	key := fmt.Sprint(done, value)
	if tried[key] {
		return false
	}
	tried[key] = true
	rest := false
	for i := range ops {
		if done&(1<<i) != 0 {
			continue
		}
		rest = rest || ops[i].OK()
		first := true
		for j := range ops {
			if done&(1<<j) == 0 && ops[j].OK() && ops[j].Return < ops[i].Invoke {
				first = false
			}
		}
		read := ops[i].Kind == history.KindFetchOffset || ops[i].Kind == history.KindDescribeConfig
		if first && (!read || ops[i].Offset.Value == value || value == anyValue) && bruteForce(ops, done|1<<i, ops[i].Offset.Value, tried) {
			return true
		}
	}
	return !rest
}

func explain(h *history.History) string {
	var b strings.Builder
	for _, op := range h.Ops {
		fmt.Fprintf(&b, "%s %d %d..%d %s\n", op.Kind, op.Offset.Value, op.Invoke, op.Return, op.Outcome)
	}
	return b.String()
}
