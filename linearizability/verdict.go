package linearizability

import (
	"fmt"
	"strings"
	"time"
)

// Status is the kind of a verdict.
type Status string

// The statuses. Broken is no verdict on the system: the history, or the time
// that a search was given, did not suffice for one. It never counts as ok.
const (
	StatusOK        Status = "ok"
	StatusViolation Status = "violation"
	StatusBroken    Status = "broken"
)

// Verdict is what one checker says.
type Verdict struct {
	Status  Status
	Checker string  // who says so, "" for ok
	Anomaly string  // a violation's short name
	Text    string  // in words, the operations involved among them
	Ops     []int64 // ids of these operations
	Picture []byte  // porcupine's, as HTML, where it was used
}

// String is "ok", "violation:<checker> <anomaly>: <text>" or "broken:<reason>".
func (v Verdict) String() string {
	switch v.Status {
	case StatusViolation:
		return fmt.Sprintf("violation:%s %s: %s", v.Checker, v.Anomaly, v.Text)
	case StatusBroken:
		return fmt.Sprintf("broken:%s %s", v.Checker, v.Text)
	}
	return string(StatusOK)
}

// Report is what all checkers say.
type Report struct {
	Verdicts []Verdict // violations first, then broken; empty if all is well
	Notes    []string  // what was not looked at, and why
	Cut      int       // further violations of the same checker and anomaly, left out

	// Outages are how long appends were not acknowledged after each mark from
	// which on they had to be again; liveness measures them.
	Outages []time.Duration
}

// Verdict is the worst of all: a violation, else broken, else ok.
func (r *Report) Verdict() Verdict {
	if len(r.Verdicts) == 0 {
		return Verdict{Status: StatusOK}
	}
	return r.Verdicts[0]
}

// String has one line per verdict and note.
func (r *Report) String() string {
	var b strings.Builder
	if len(r.Verdicts) == 0 {
		b.WriteString("ok\n")
	}
	for _, v := range r.Verdicts {
		fmt.Fprintln(&b, v)
	}
	if r.Cut > 0 {
		fmt.Fprintf(&b, "and %d more of these kinds\n", r.Cut)
	}
	for _, outage := range r.Outages {
		fmt.Fprintln(&b, "appends went on after", outage)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(&b, "note:", note)
	}
	return b.String()
}
