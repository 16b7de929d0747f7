package node

import (
	"bytes"
	"strings"
	"sync"
)

const (
	// logBytesMax bounds what is kept of a node's log: between half of it and
	// all of it, the end.
	logBytesMax = 256 << 10
	// tailLinesMax lines of at most tailLineBytesMax are printed when a test
	// fails: a log of continuous integration that is cut to its end still shows why.
	tailLinesMax     = 40
	tailLineBytesMax = 160
)

// logBuffer keeps the end of a log.
type logBuffer struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	once  sync.Once
	began chan struct{} // closed with the first line
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.once.Do(func() { close(l.began) })
	if over := l.buf.Len() + len(p) - logBytesMax; over > 0 {
		l.buf.Next(max(over, logBytesMax/2))
	}
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// tail is the last lines, cut short.
func (l *logBuffer) tail() string {
	lines := strings.Split(strings.TrimSuffix(l.String(), "\n"), "\n")
	lines = lines[max(0, len(lines)-tailLinesMax):]
	for i, line := range lines {
		if len(line) > tailLineBytesMax {
			lines[i] = line[:tailLineBytesMax] + "..."
		}
	}
	return strings.Join(lines, "\n")
}
