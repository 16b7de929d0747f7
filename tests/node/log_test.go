package node

import (
	"fmt"
	"strings"
	"testing"
)

// What is printed of a log is its end, in few lines that are not long.
func TestTailOfALog(t *testing.T) {
	l := &logBuffer{began: make(chan struct{})}
	if got := l.tail(); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	const lines = 20_000
	for i := range lines {
		fmt.Fprintf(l, "line %d %s\n", i, strings.Repeat("x", i%2*300))
		if len(l.String()) > logBytesMax {
			t.Fatalf("%d bytes are kept", len(l.String()))
		}
	}
	<-l.began
	got := strings.Split(l.tail(), "\n")
	if len(got) != tailLinesMax || !strings.HasPrefix(got[tailLinesMax-1], fmt.Sprintf("line %d x", lines-1)) {
		t.Fatalf("%d lines, the last %.40q", len(got), got[len(got)-1])
	}
	for _, line := range got {
		if len(line) > tailLineBytesMax+3 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if n := len(l.String()); n < logBytesMax/3 {
		t.Errorf("only %d bytes are kept", n)
	}
}
