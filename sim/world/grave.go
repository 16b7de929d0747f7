package world

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moldau/moldau/linearizability/history"
)

// processLabel is carried by all goroutines of a process, with its name.
const processLabel = "process"

// outlivedAfter is how long after the end of a process its last goroutine has
// ended: raft's timers go by the time of the guest, not by the node's, so that
// its goroutines learn of the end when they fire.
const outlivedAfter = 10 * time.Second

// grave is a process that has ended.
type grave struct {
	node  int32
	name  string
	ended time.Time
}

// graves are those that were not looked at yet, the oldest first.
type graves struct {
	mu   sync.Mutex
	list []grave
}

// label makes the goroutine that calls it, and those that it will start, the
// process's own.
func label(name string) {
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(processLabel, name)))
}

// bury has the world look, later, for what has outlived a process.
func (w *World) bury(node int32, name string) {
	w.graves.mu.Lock()
	defer w.graves.mu.Unlock()
	w.graves.list = append(w.graves.list, grave{node: node, name: name, ended: w.cfg.Timebase.Now()})
	if len(w.graves.list) == 1 {
		w.cfg.Timebase.AfterFunc(outlivedAfter, w.visit)
	}
}

// visit looks at the graves that are old enough, and comes again for the others.
func (w *World) visit() {
	w.graves.mu.Lock()
	now := w.cfg.Timebase.Now()
	n := 0
	for n < len(w.graves.list) && now.Sub(w.graves.list[n].ended) >= outlivedAfter {
		n++
	}
	due := slices.Clone(w.graves.list[:n])
	w.graves.list = slices.Delete(w.graves.list, 0, n)
	if len(w.graves.list) > 0 {
		w.cfg.Timebase.AfterFunc(outlivedAfter-now.Sub(w.graves.list[0].ended), w.visit)
	}
	w.graves.mu.Unlock()
	if len(due) == 0 {
		return
	}
	living := processesLiving()
	for _, g := range due {
		w.mourn(g, living[g.name])
	}
}

// mourn tells the checkers of goroutines that have outlived their process.
func (w *World) mourn(g grave, living []alike) {
	if len(living) == 0 {
		return
	}
	count := int64(0)
	for _, a := range living {
		count += a.count
		w.cfg.Trace("left", fmt.Sprintf("of %s: %d in %s", g.name, a.count, a.stack))
	}
	w.cfg.Event(history.Event{
		Kind: history.EventOutlived, Node: g.node, Name: g.name, Left: []history.Leftover{{What: "goroutines", Count: count}},
	})
}

// alike are goroutines with one stack.
type alike struct {
	count int64
	stack string // names of functions, the innermost first
}

// processesLiving are the goroutines that there are, by the process that they
// belong to, in the order of their stacks.
func processesLiving() map[string][]alike {
	var text bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
		return nil // not reached: a buffer takes everything
	}
	living := map[string][]alike{}
	for _, block := range strings.Split(text.String(), "\n\n") {
		if name, a := parseAlike(block); name != "" {
			living[name] = append(living[name], a)
		}
	}
	for _, all := range living { //det:ok each for itself
		slices.SortFunc(all, func(a, b alike) int { return cmp.Or(strings.Compare(a.stack, b.stack), cmp.Compare(a.count, b.count)) })
	}
	return living
}

// parseAlike reads one entry of the profile's text:
//
//	2 @ 0x46f20e 0x43f1e5
//	# labels: {"process":"n1/3"}
//	#	0x46f20d	sync.(*WaitGroup).Wait+0x4d	/go/src/sync/waitgroup.go:118
func parseAlike(block string) (process string, a alike) {
	var calls []string
	for line := range strings.SplitSeq(block, "\n") {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 1 && fields[1] == "@":
			a.count, _ = strconv.ParseInt(fields[0], 10, 64)
		case strings.HasPrefix(line, "# labels: "):
			if _, rest, found := strings.Cut(line, strconv.Quote(processLabel)+":"); found {
				process, _ = strconv.Unquote(strings.TrimRight(rest, "}"))
			}
		case len(fields) > 2 && fields[0] == "#":
			name, _, _ := strings.Cut(fields[2], "+0x")
			calls = append(calls, name)
		}
	}
	a.stack = strings.Join(calls, " < ")
	return process, a
}
