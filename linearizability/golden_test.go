package linearizability_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/moldau/moldau/linearizability"
)

// TestGoldens judges hand-written histories. Each file is about one checker.
//
//	check [only=<checker>] [window=<n>] [stale]   the report on the script below
//
// A title says what the case is about; "as=<anomaly>" or "as=ok" says beside
// the golden what it must contain, so that rewriting cannot lose it.
func TestGoldens(t *testing.T) {
	datadriven.Walk(t, "testdata/goldens", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			options, as := linearizability.Options{}, ""
			for _, arg := range d.CmdArgs {
				switch arg.Key {
				case "only":
					options.Only = arg.Vals
				case "window":
					fmt.Sscan(arg.Vals[0], &options.WindowOps)
				case "stale":
					options.StaleConfigs = true
				case "as":
					as = arg.Vals[0]
				default:
					d.Fatalf(t, "unknown argument %q", arg.Key)
				}
			}
			report := linearizability.Check(parseScript(t, d.Input), options)
			kinds := anomalies(report)
			if as == "ok" && len(kinds) > 0 || as != "ok" && !slices.Contains(kinds, as) {
				d.Fatalf(t, "got %q, want %q\n%s", kinds, as, report.String())
			}
			return report.String()
		})
	})
}

// anomalies are those of a report, "broken" among them, each once.
func anomalies(report linearizability.Report) (kinds []string) {
	for _, v := range report.Verdicts {
		kind := v.Anomaly
		if v.Status == linearizability.StatusBroken {
			kind = "broken"
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// allAnomalies are those that the package can report.
const allAnomalies = `
	above-high-watermark above-last-stable altered below-log-start committed-lost disorder divergence failed-write gap
	high-watermark-back inconsistent latest-back lost misplaced order phantom read-before-write read-then-lost torn
	two-offsets unreadable broken
	log-not-linearizable not-linearizable unwritten
	G1a G1c duplicate inconsistent-offsets int-nonmonotonic-poll int-nonmonotonic-send int-poll-skip lost-write
	nonmonotonic-poll nonmonotonic-send poll-skip precommitted-read unseen
	altered-sequence duplicate-answer epoch-order id-in-log id-reused sequence-accepted-twice sequence-gap sequence-reused
	generation-back not-converged stale-commit stale-coordinator stale-offset two-owners uncommitted-offset
	deleted-early deleted-read log-start-back
	epoch-above epoch-end-long epoch-end-short epoch-falls epoch-missed newest-missed session-differs session-omitted
	session-stranger time-beyond time-missed time-not-first time-wrong
	left-behind no-progress outlived replica-differs stuck unavailable ok`

// TestEveryAnomalyIsPlanted keeps the goldens complete: each anomaly that the
// package can report is the answer to a case.
func TestEveryAnomalyIsPlanted(t *testing.T) {
	planted := map[string]bool{}
	datadriven.Walk(t, "testdata/goldens", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			for _, arg := range d.CmdArgs {
				if arg.Key == "as" {
					planted[arg.Vals[0]] = true
				}
			}
			return d.Expected
		})
	})
	for _, anomaly := range strings.Fields(allAnomalies) {
		if !planted[anomaly] {
			t.Errorf("no case plants %q", anomaly)
		}
	}
}
