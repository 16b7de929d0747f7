package peer

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Cluster is one system's nodes, one or several, each broker and controller.
type Cluster struct {
	Name  string    // "moldau" or "kafka"
	Nodes []*Server // node I has the id I+1

	starts []func() (*Server, error)
}

// Alone is a cluster of one node.
func Alone(s *Server) *Cluster { return &Cluster{Name: s.Name, Nodes: []*Server{s}} }

// newCluster starts nodes that all have to be there before one of them is ready.
func newCluster(name string, starts []func() (*Server, error)) (*Cluster, error) {
	c := &Cluster{Name: name, starts: starts}
	for _, start := range starts {
		s, err := start()
		if err != nil {
			return nil, errors.Join(err, c.Stop())
		}
		c.Nodes = append(c.Nodes, s)
	}
	return c, nil
}

// Addrs are the clients' listeners.
func (c *Cluster) Addrs() []string { return each(c, func(s *Server) string { return s.Addr }) }

// PIDs are the processes.
func (c *Cluster) PIDs() []int { return each(c, func(s *Server) int { return s.PID }) }

// Data are the log directories.
func (c *Cluster) Data() []string { return each(c, func(s *Server) string { return s.Data }) }

func each[T any](c *Cluster, f func(*Server) T) []T {
	out := make([]T, 0, len(c.Nodes))
	for _, s := range c.Nodes {
		out = append(out, f(s))
	}
	return out
}

// awaitEvery is the pause between two questions of whether a node serves.
const awaitEvery = 50 * time.Millisecond

// Await waits until every node tells clients of all nodes.
func (c *Cluster) Await(timeout time.Duration) error {
	for _, s := range c.Nodes {
		if err := s.Await(timeout, awaitEvery, func() error { return s.Knows(len(c.Nodes)) }); err != nil {
			return err
		}
	}
	return nil
}

// Knows fails unless the node's answer to Metadata names n brokers.
func (s *Server) Knows(n int) error {
	w, err := Dial(s.Addr)
	if err != nil {
		return err
	}
	defer w.Close()
	m, err := w.Metadata(false)
	if err != nil {
		return err
	}
	if len(m.Brokers) != n {
		return fmt.Errorf("%d of %d brokers are in service", len(m.Brokers), n)
	}
	return nil
}

// Restart starts node i, whose process has ended, with the same settings,
// addresses and directory.
func (c *Cluster) Restart(i int) error {
	s, err := c.starts[i]()
	if err != nil {
		return err
	}
	c.Nodes[i] = s
	return nil
}

// Stop stops the node; several are killed, since the last ones of a Kafka
// cluster wait for a quorum that is gone.
func (c *Cluster) Stop() error {
	if len(c.Nodes) == 1 {
		return c.Nodes[0].Stop()
	}
	for _, s := range c.Nodes {
		s.Kill()
	}
	return nil
}

// Keep writes what the nodes logged, and what the goroutines of those that answer
// do, to a folder.
func (c *Cluster) Keep(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var all error
	for i, s := range c.Nodes {
		stacks := ""
		if s.HTTP != "" {
			var err error
			if stacks, err = s.goroutines(); err != nil {
				stacks = err.Error() // it may hang, which is why one looks
			}
		}
		all = errors.Join(all, os.WriteFile(filepath.Join(dir, fmt.Sprintf("node-%d.log", i+1)), []byte(s.Log()+"\n\n"+stacks), 0o644))
	}
	return all
}

// stacksTimeout is how long a node may take to say what it does.
const stacksTimeout = 10 * time.Second

func (s *Server) goroutines() (string, error) {
	c := http.Client{Timeout: stacksTimeout}
	resp, err := c.Get("http://" + s.HTTP + "/debug/pprof/goroutine?debug=2")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	stacks, err := io.ReadAll(resp.Body)
	return string(stacks), err
}

// MoldauCluster starts n nodes on free ports of this machine, their data in
// folders of data, with more flags of `moldau start`.
func MoldauCluster(binary, data string, n int, flags ...string) (*Cluster, error) {
	addrs, err := FreeAddrs(3 * n)
	if err != nil {
		return nil, err
	}
	clients, controllers, http := addrs[:n], addrs[n:2*n], addrs[2*n:]
	starts := make([]func() (*Server, error), n)
	for i := range n {
		dir := filepath.Join(data, fmt.Sprint(i+1))
		command := append([]string{binary, "start", "--node-id", fmt.Sprint(i + 1), "--data", dir, "--voters", voters(controllers),
			"--listen", clients[i], "--controller-listen", controllers[i], "--http", http[i]}, flags...)
		starts[i] = func() (*Server, error) {
			return Start(Spec{Name: "moldau", Addr: clients[i], HTTP: http[i], Data: dir, Command: command})
		}
	}
	return newCluster("moldau", starts)
}

// voters are controllers as both systems write them.
func voters(controllers []string) string {
	var out []string
	for i, addr := range controllers {
		out = append(out, fmt.Sprintf("%d@%s", i+1, addr))
	}
	return strings.Join(out, ",")
}
