package attack

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/moldau/moldau/internal/peer"
	"github.com/moldau/moldau/tests/node"
)

const (
	tracedClients  = 4
	tracedRequests = 60 // by each client
	tracedWide     = 24 // partitions of every third request, so that the journal is used
)

// TestEveryAckFollowsItsSync: in a system-call trace of a loaded node every
// answer to a produce at `sync` leaves after an fdatasync of a file that holds
// all bytes it acks, begun after they were written, and after an fsync of each
// directory in which a name came to be that leads to the file.
func TestEveryAckFollowsItsSync(t *testing.T) {
	strace := peer.Program(t, "strace")
	file := filepath.Join(t.TempDir(), "trace")
	n := node.Start(t, node.Options{Wrap: []string{
		strace, "-f", "-yy", "-xx", "-s", "1048576", "-o", file,
		"-e", "trace=pwrite64,pwritev,pwritev2,write,writev,sendto,fdatasync,fsync,openat,mkdirat,renameat,renameat2",
	}})
	kill := sync.OnceFunc(func() { killChild(t, n.PID) })
	t.Cleanup(kill)
	mustDial(t, n.Kafka).createTopic(t, "traced", tracedWide)
	var load sync.WaitGroup
	for c := range tracedClients {
		w := mustDial(t, n.Kafka)
		load.Add(1)
		go func() {
			defer load.Done()
			for i := range tracedRequests {
				first, count := int32((c*7+i)%tracedWide), int32(1)
				if i%3 == 0 {
					first, count = 0, tracedWide
				}
				id := marker(c, i)
				w.next = id - 1
				if _, err := w.ask(produceOf("traced", first, count, -1, oneBatch(fmt.Sprintf("marker-%08x", id)))); err != nil {
					t.Errorf("produce %x: %v", id, err)
					return
				}
			}
		}()
	}
	load.Wait()
	kill()
	_ = n.Wait() // strace ends with the node and then its file is whole
	if t.Failed() {
		return
	}
	tr := readTrace(t, file)
	byJournal := 0
	for c := range tracedClients {
		for i := range tracedRequests {
			count := 1
			if i%3 == 0 {
				count = tracedWide
			}
			journal, err := tr.covered(marker(c, i), count)
			if err != nil {
				t.Errorf("request %d of client %d: %v", i, c, err)
			}
			if journal {
				byJournal++
			}
		}
	}
	t.Logf("%d answers, %d of them through the journal alone; %d file writes, %d files and directories synced, %d names made", tracedClients*tracedRequests, byJournal, len(tr.writes), len(tr.syncs), len(tr.named))
	if len(tr.named) < 2*tracedWide {
		t.Errorf("the trace shows %d names that were made: it is not read as it should", len(tr.named))
	}
	if byJournal == 0 {
		t.Error("no answer came through the journal: the trace shows half of what it should")
	}
}

// killChild kills the node that strace, of the given id, runs.
func killChild(t *testing.T, pid int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return // it has ended
	}
	for _, child := range strings.Fields(string(b)) {
		id, err := strconv.Atoi(child)
		if err != nil {
			t.Errorf("children of strace: %v", err)
			continue
		}
		_ = syscall.Kill(id, syscall.SIGKILL) // it may have ended
	}
}

// marker is the correlation id of a request, and a word in its records.
func marker(client, i int) int32 { return int32(0x51000000 + client<<16 + i) }

// call is one system call: the lines of the trace at which it began and ended.
type call struct {
	name, path string
	data       []byte
	strings    []string
	began      int
	ended      int
}

// trace is what happened, in order.
type trace struct {
	writes  []call            // to files
	syncs   map[string][]call // by path
	answers map[int32]int     // correlation id: line at which its answer began to leave
	named   map[string]int    // line at which a name that was not there had come to be
}

var (
	callLine   = regexp.MustCompile(`^(\d+) +(\w+)\((\d+)<([^>]*)>`)
	nameLine   = regexp.MustCompile(`^(\d+) +((?:openat|mkdirat|renameat2?))\(`)
	resumeLine = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>`)
	hexString  = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"`)
)

func readTrace(t *testing.T, file string) *trace {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tr := &trace{syncs: map[string][]call{}, answers: map[int32]int{}, named: map[string]int{}}
	open := map[string]call{} // by thread
	number := 0
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		number++
		if m := resumeLine.FindStringSubmatch(line); m != nil {
			if c, ok := open[m[1]]; ok {
				delete(open, m[1])
				c.ended = number
				tr.add(c, line)
			}
			continue
		}
		m := callLine.FindStringSubmatch(line)
		if m == nil {
			if m = nameLine.FindStringSubmatch(line); m == nil || m[2] == "openat" && !strings.Contains(line, "O_CREAT") {
				continue
			}
			m = append(m, "", "")
		}
		c := call{name: m[2], path: m[4], began: number, ended: number}
		if b, err := hex.DecodeString(strings.ReplaceAll(m[4], `\x`, "")); err == nil && strings.HasPrefix(m[4], `\x`) {
			c.path = string(b)
		}
		for _, s := range hexString.FindAllStringSubmatch(line, -1) {
			b, err := hex.DecodeString(strings.ReplaceAll(s[1], `\x`, ""))
			if err != nil {
				t.Fatalf("line %d of the trace: %v", number, err)
			}
			c.data = append(c.data, b...)
			c.strings = append(c.strings, string(b))
		}
		tr.begin(c)
		if strings.HasSuffix(line, "<unfinished ...>") {
			open[m[1]] = c
			continue
		}
		tr.add(c, line)
	}
	return tr
}

// begin notes the answers of a write to a socket, which count from where the
// call began.
func (tr *trace) begin(c call) {
	if !strings.HasPrefix(c.path, "TCP") {
		return
	}
	for b := c.data; len(b) >= 8; {
		size := int(binary.BigEndian.Uint32(b))
		if size < 4 || size > len(b)-4 {
			return // not at the start of a frame
		}
		tr.answers[int32(binary.BigEndian.Uint32(b[4:]))] = c.began
		b = b[4+size:]
	}
}

// add takes a call that succeeded.
func (tr *trace) add(c call, last string) {
	result, _, _ := strings.Cut(last[strings.LastIndex(last, "= ")+2:], "<") // a descriptor comes with its path
	if n, err := strconv.Atoi(strings.Fields(result)[0]); err != nil || n < 0 {
		return
	}
	switch c.name {
	case "openat", "mkdirat":
		if _, had := tr.named[c.strings[0]]; !had {
			tr.named[c.strings[0]] = c.ended
		}
	case "renameat", "renameat2":
		tr.named[c.strings[1]] = c.ended
	case "fdatasync", "fsync":
		tr.syncs[c.path] = append(tr.syncs[c.path], c)
	case "pwrite64", "pwritev", "pwritev2", "write", "writev":
		if strings.HasPrefix(c.path, "/") {
			tr.writes = append(tr.writes, c)
		}
	}
}

// entered reports whether the names of a path that came to be in the trace were
// each made durable by an fsync of the directory before the line of the answer.
func (tr *trace) entered(path string, answer int) bool {
	for at, ok := tr.named[path]; ok; at, ok = tr.named[path] {
		dir := filepath.Dir(path)
		if !slices.ContainsFunc(tr.syncs[dir], func(s call) bool { return s.began > at && s.ended < answer }) {
			return false
		}
		path = dir
	}
	return true
}

// covered checks one answer: count copies of its marker were each synced, in
// one file or another, between their write and the answer, and the names of
// these files, and of the partitions' folders, before it. journal says that a
// journal's sync was needed for it.
func (tr *trace) covered(id int32, count int) (journal bool, err error) {
	answer, ok := tr.answers[id]
	if !ok {
		return false, fmt.Errorf("no answer with correlation id %x in the trace", id)
	}
	word := fmt.Sprintf("marker-%08x", id)
	inSegments, inJournal, nameless := 0, 0, 0
	written := false
	for _, w := range tr.writes {
		copies := strings.Count(string(w.data), word)
		if copies == 0 || w.ended > answer {
			continue
		}
		written = true
		if !tr.entered(filepath.Dir(w.path), answer) {
			return false, fmt.Errorf("answered at line %d of the trace, when the name of %s was not durable", answer, filepath.Dir(w.path))
		}
		if !tr.entered(w.path, answer) {
			nameless += copies
			continue
		}
		for _, s := range tr.syncs[w.path] {
			if s.began > w.ended && s.ended < answer {
				if strings.Contains(filepath.Base(w.path), "journal") {
					inJournal += copies
				} else {
					inSegments += copies
				}
				break
			}
		}
	}
	switch {
	case inSegments >= count:
		return false, nil
	case inJournal+inSegments >= count:
		return true, nil
	case !written:
		return false, fmt.Errorf("answered at line %d of the trace before anything of it was written", answer)
	}
	return false, fmt.Errorf("answered at line %d of the trace; of its %d batches %d are synced in segments and %d in the journal; %d were written to files whose names are not durable",
		answer, count, inSegments, inJournal, nameless)
}
