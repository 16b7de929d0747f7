package linearizability

import (
	"fmt"
	"slices"
	"time"

	"github.com/moldau/moldau/linearizability/history"
)

// Options choose what is checked and how long a search may take. The zero value
// runs everything with the defaults.
type Options struct {
	Only []string // names of Checkers; all if empty

	// SearchMax bounds each of porcupine's searches, in real time; a search that
	// takes longer is broken. Default 10 s.
	SearchMax time.Duration
	// WindowOps is after how many operations a register's history is cut, at the
	// next moment at which none is open. Default 100.
	WindowOps int
	// CrossCheckOpsMax is the number of operations on a partition up to which
	// porcupine repeats the log-order checker's work. Default 300.
	CrossCheckOpsMax int
	// StaleConfigs says that a configuration may be read from a broker that lags
	// behind the controller: then a value read must only have been written.
	StaleConfigs bool
}

const (
	searchMaxDefault        = 10 * time.Second
	windowOpsDefault        = 100
	crossCheckOpsMaxDefault = 300

	// sameKindMax is the number of violations with one checker and anomaly that
	// a report holds.
	sameKindMax = 5
)

// checkers in the order of their reports.
var checkers = [...]struct {
	name string
	run  func(*run)
}{
	{"log-order", checkLogOrder},
	{"registers", checkRegisters},
	{"anomalies", checkAnomalies},
	{"idempotence", checkIdempotence},
	{"groups", checkGroups},
	{"retention", checkRetention},
	{"lookups", checkLookups},
	{"liveness", checkLiveness},
}

// Checkers returns the names that Options.Only takes.
func Checkers() []string {
	names := make([]string, len(checkers))
	for i, c := range checkers {
		names[i] = c.name
	}
	return names
}

// Check judges a history. It keeps and changes nothing of it. A history that
// does not validate is broken, as is a checker's name that there is none of.
func Check(h *history.History, o Options) Report {
	if o.SearchMax <= 0 {
		o.SearchMax = searchMaxDefault
	}
	if o.WindowOps <= 0 {
		o.WindowOps = windowOpsDefault
	}
	if o.CrossCheckOpsMax <= 0 {
		o.CrossCheckOpsMax = crossCheckOpsMaxDefault
	}
	for _, name := range o.Only {
		if !slices.Contains(Checkers(), name) {
			return brokenReport("there is no checker %q, only %q", name, Checkers())
		}
	}
	if err := h.Validate(); err != nil {
		return brokenReport("%v", err)
	}
	index, err := newIndex(h)
	if err != nil {
		return brokenReport("%v", err)
	}
	var report Report
	for _, c := range checkers {
		if len(o.Only) == 0 || slices.Contains(o.Only, c.name) {
			c.run(&run{index: index, options: o, checker: c.name, report: &report, counts: map[string]int{}})
		}
	}
	slices.SortStableFunc(report.Verdicts, func(a, b Verdict) int { return rank(a) - rank(b) })
	return report
}

func rank(v Verdict) int {
	if v.Status == StatusViolation {
		return 0
	}
	return 1
}

func brokenReport(format string, args ...any) Report {
	return Report{Verdicts: []Verdict{{Status: StatusBroken, Checker: "history", Text: fmt.Sprintf(format, args...)}}}
}

// run is one checker at work.
type run struct {
	*index
	options Options
	checker string
	report  *Report
	counts  map[string]int // violations by anomaly
}

// violation reports one, ops being the operations involved, which the text is
// made to name.
func (r *run) violation(anomaly string, ops []*history.Op, format string, args ...any) {
	r.violationPictured(nil, anomaly, ops, format, args...)
}

func (r *run) violationPictured(picture []byte, anomaly string, ops []*history.Op, format string, args ...any) {
	r.counts[anomaly]++
	if r.counts[anomaly] > sameKindMax {
		r.report.Cut++
		return
	}
	v := Verdict{Status: StatusViolation, Checker: r.checker, Anomaly: anomaly, Text: fmt.Sprintf(format, args...), Picture: picture}
	for _, op := range ops {
		if op != nil && !slices.Contains(v.Ops, op.ID) {
			v.Ops = append(v.Ops, op.ID)
			v.Text += "; " + r.describe(op)
		}
	}
	r.report.Verdicts = append(r.report.Verdicts, v)
}

func (r *run) broken(format string, args ...any) {
	r.counts["broken"]++
	if r.counts["broken"] > sameKindMax {
		return
	}
	r.report.Verdicts = append(r.report.Verdicts, Verdict{Status: StatusBroken, Checker: r.checker, Text: fmt.Sprintf(format, args...)})
}

func (r *run) note(format string, args ...any) {
	r.report.Notes = append(r.report.Notes, r.checker+": "+fmt.Sprintf(format, args...))
}
