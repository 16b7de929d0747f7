package fanout

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCounts: every cell has its acks, the journal is used where there are
// many files, and never with plain syncs.
func TestCounts(t *testing.T) {
	var emitted int
	cells, err := Run(t.Context(), Config{
		Path: t.TempDir(), Partitions: []int{1, 8}, Added: []time.Duration{0, 2 * time.Millisecond}, TurnsMin: 3, OthersMax: 1,
		Emit: func(Cell) error { emitted++; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(cells) != 8 || emitted != 8 {
		t.Fatalf("%d cells, %d emitted", len(cells), emitted)
	}
	for _, c := range cells {
		if c.Turns != 3 || c.AcksPerS <= 0 || c.AckP99Ms < c.AddedMs {
			t.Errorf("%+v", c)
		}
		// The journal also keeps its own house, so there may be commits without appends.
		appended := uint64(c.Turns * c.Partitions * valueBytes)
		if journal := !c.Plain; c.Partitions == 8 && journal != (c.JournalBytes > appended) {
			t.Errorf("bytes through the journal: %+v", c)
		}
		if c.Plain && c.DirectSyncs != uint64(c.Turns*c.Partitions) {
			t.Errorf("plain syncs: %+v", c)
		}
	}
}

func TestVerdicts(t *testing.T) {
	cell := func(added float64, n int, turn float64) Cell {
		return Cell{AddedMs: added, Partitions: n, TurnP50Ms: turn, Turns: 9}
	}
	cells := []Cell{
		cell(0, 1, 1), cell(0, 1000, 5.9), cell(1, 1, 2), cell(1, 1000, 4.1),
		{Plain: true, AddedMs: 5, Partitions: 1, TurnP50Ms: 100}, cell(5, 1, 6), cell(5, 1000, 11),
	}
	var got []string
	for _, line := range Verdicts(cells) {
		got = append(got, line[strings.LastIndex(line, " ")+1:])
	}
	if !slices.Equal(got, []string{"met", "missed", "met"}) {
		t.Errorf("%q", Verdicts(cells))
	}
	cells[0].TooBusy = true
	if v := Verdicts(cells)[0]; !strings.Contains(v, "too busy") {
		t.Errorf("%q", v)
	}
}
