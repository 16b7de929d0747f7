package restart

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	results := []Result{
		{System: "moldau", What: "empty", MetadataMs: 10}, {System: "moldau", What: "empty", MetadataMs: 900, TooBusy: true},
		{System: "moldau", What: "empty", MetadataMs: 30}, {System: "kafka", What: "empty", MetadataMs: 3000},
		{System: "moldau", What: "idle", RSSBytes: 31e6},
		{System: "moldau", What: "killed", MetadataMs: 1, TooBusy: true, Kept: true},
		{System: "kafka", What: "killed", MetadataMs: 14000, ServedMs: 15000, Round: 1},
	}
	var b strings.Builder
	if err := Print(&b, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]string{
		{"empty directory", "20.0 (of 2)", "3000.0 (of 1)", "at most 50", "yes"},
		{"idle: RSS", "31.0 (of 1)", "at most 30", "no"},
		{"killed: exec to first", "too busy to tell", "14000 (of 1)"},
		{"kafka lost acknowledged records", "round 2"},
	} {
		if !hasLine(b.String(), want) {
			t.Errorf("no line with %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "moldau lost") {
		t.Errorf("nothing was lost:\n%s", b.String())
	}
}

func hasLine(text string, parts []string) bool {
	for line := range strings.Lines(text) {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if all {
			return true
		}
	}
	return false
}

func TestReaches(t *testing.T) {
	if !reaches([]int64{3, 5}, []int64{3, 4}) || reaches([]int64{3, 3}, []int64{3, 4}) || reaches([]int64{3}, []int64{3, 0}) {
		t.Error("acknowledged offsets are compared wrongly")
	}
}
