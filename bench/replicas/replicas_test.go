package replicas

import (
	"strings"
	"testing"
)

func TestParseLive(t *testing.T) {
	text := "heap profile: 1: 2 [3: 4] @ heap/5\n# runtime.MemStats\n# Alloc = 7\n# HeapAlloc = 1000\n# HeapInuse = 9999\n# Stack = 200 / 5000\n"
	if live, err := parseLive(strings.NewReader(text)); err != nil || live != 1200 {
		t.Errorf("%d, %v", live, err)
	}
	for _, wrong := range []string{"", "# HeapAlloc = 1000\n", "# HeapAlloc = x\n# Stack = 1 / 2\n"} {
		if _, err := parseLive(strings.NewReader(wrong)); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	err := Print(&b, []Result{
		{System: "moldau", ServedMs: 100, LivePerReplica: 11_000, InSyncMs: 900, BackMs: 1},
		{System: "moldau", ServedMs: 9000, LivePerReplica: 1, InSyncMs: 9000, TooBusy: true},
		{System: "moldau", ServedMs: 300, LivePerReplica: 13_000, InSyncMs: 800},
		{System: "kafka", ServedMs: 400, InSyncMs: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	for figure, want := range map[string][]string{
		"all partitions served":       {"200.0 (of 2)", "400.0 (of 1)", "0.50 of Kafka's", "yes"},
		"live heap":                   {"12.0 (of 2)", "at most 10", "no"},
		"exec to in sync everywhere":  {"850.0 (of 2)", "at most 1000", "yes"},
		"exec to all nodes known, ms": {"1.0 (of 1)", "yes"},
	} {
		for line := range strings.Lines(b.String()) {
			for _, part := range want {
				if strings.Contains(line, figure) && !strings.Contains(line, part) {
					t.Errorf("%q is not in %q", part, line)
				}
			}
		}
	}
	b.Reset()
	_ = Print(&b, []Result{{System: "moldau", ServedMs: 1, TooBusy: true}})
	if !strings.Contains(b.String(), "too busy to tell") || strings.Contains(b.String(), "yes") {
		t.Errorf("a verdict on a busy machine:\n%s", b.String())
	}
}
