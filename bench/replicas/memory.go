package replicas

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/moldau/moldau/bench/peer"
	"github.com/moldau/moldau/bench/proc"
)

// held is what all nodes hold together, in bytes.
type held struct {
	rss  int64
	live int64 // heap and stacks after a collection; 0 where the system does not tell
}

func memory(cluster *peer.Cluster) (held, error) {
	var sum held
	for _, node := range cluster.Nodes {
		if node.HTTP != "" {
			live, err := liveOf(node.HTTP)
			if err != nil {
				return sum, err
			}
			sum.live += live
		}
		m, err := proc.Real().Memory(node.PID)
		if err != nil {
			return sum, err
		}
		sum.rss += m.RSS
	}
	return sum, nil
}

// liveOf has a node collect its garbage and reads what is left.
func liveOf(addr string) (int64, error) {
	resp, err := http.Get("http://" + addr + "/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the heap of %s: %s", addr, resp.Status)
	}
	return parseLive(resp.Body)
}

// parseLive sums up the lines "# HeapAlloc = N" and "# Stack = N / M" (in use,
// and taken from the system) of a heap profile in text.
func parseLive(r io.Reader) (live int64, err error) {
	found := 0
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20) // a line names the frames of a stack
	for lines.Scan() {
		name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "# "), " = ")
		if !ok || name != "HeapAlloc" && name != "Stack" {
			continue
		}
		value, _, _ = strings.Cut(value, " / ")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("the heap's %s: %w", name, err)
		}
		live += n
		found++
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	if found != 2 {
		return 0, fmt.Errorf("the heap's text has %d of its 2 sums", found)
	}
	return live, nil
}

// cpuOf is the processor time that all nodes have used; a node that does not
// tell counts for nothing.
func cpuOf(cluster *peer.Cluster) (sum time.Duration) {
	for _, pid := range cluster.PIDs() {
		if p, err := proc.Real().Process(pid); err == nil {
			sum += p.CPU
		}
	}
	return sum
}
