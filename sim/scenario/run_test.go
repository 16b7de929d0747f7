package scenario_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/linearizability"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/scenario"
)

var (
	seedFlag     = flag.Uint64("seed", 0, "run this seed alone")
	seedsFlag    = flag.Int("seeds", 3, "number of seeds to run of each scenario")
	scenarioFlag = flag.String("scenario", "", "run this scenario alone")
	durationFlag = flag.Duration("duration", 15*time.Second, "how long clients and faults go on, virtual")
	faultsFlag   = flag.String("faults", "", "faults to add, or with '-' to leave out; none")
	keepFlag     = flag.String("keep", "", "directory for what runs write")
)

// TestSeeds runs the scenarios in a bubble, on all processors: their schedule
// does not follow from the seed, but the race detector sees it.
func TestSeeds(t *testing.T) {
	for _, s := range scenario.All() {
		if *scenarioFlag != "" && s.Name != *scenarioFlag {
			continue
		}
		for i := range *seedsFlag {
			seed := uint64(i + 1)
			if *seedFlag != 0 {
				if i > 0 {
					break
				}
				seed = *seedFlag
			}
			t.Run(fmt.Sprintf("%s-%d", s.Name, seed), func(t *testing.T) { runSeed(t, s, seed) })
		}
	}
}

func runSeed(t *testing.T, s scenario.Scenario, seed uint64) {
	var out bytes.Buffer
	var done scenario.Done
	var err error
	synctest.Test(t, func(*testing.T) {
		o := scenario.Options{
			Seed: seed, Scenario: s, Duration: *durationFlag, Out: &out, Timebase: simcore.ProcessTime{},
			EventsMax: 50_000_000, ReadsMax: 100_000_000, Abort: func(reason string) { panic(reason) }, Goroutines: inBubble,
		}
		if *faultsFlag != "" {
			o.Faults = strings.Split(*faultsFlag, ",")
		}
		done, err = scenario.Run(o)
	})
	if *keepFlag != "" {
		if err := os.WriteFile(filepath.Join(*keepFlag, fmt.Sprintf("%s-%d.jsonl", s.Name, seed)), out.Bytes(), 0o644); err != nil {
			t.Error(err)
		}
	}
	t.Logf("virtual %v, %d events, %d reads, %d faults, %d ops, %d acked", time.Duration(done.VirtualNs), done.Events, done.Reads, done.Faults, done.Ops, done.Acked)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	h, err := history.Load(onlyHistory(&out), history.Limits{})
	if err != nil {
		t.Errorf("history: %v", err)
		return
	}
	report := linearizability.Check(h, linearizability.Options{})
	if report.Verdict().Status != linearizability.StatusOK {
		t.Errorf("%s", report.String())
	}
}

// onlyHistory leaves the trace out.
func onlyHistory(in io.Reader) io.Reader {
	var out bytes.Buffer
	for lines := bufio.NewReader(in); ; {
		line, err := lines.ReadBytes('\n')
		if !bytes.HasPrefix(line, []byte(`{"trace"`)) {
			out.Write(line)
		}
		if err != nil {
			return &out
		}
	}
}

// inBubble counts the bubble's goroutines: the runtime's own come and go.
func inBubble() int {
	buf := make([]byte, 4<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "synctest bubble")
}
