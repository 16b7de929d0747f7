package node

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// Client is who connects and is none of a cluster's nodes.
	Client int32 = 0
	// chunksMax of chunkBytes of a connection are under way in each direction.
	chunksMax, chunkBytes = 64, 32 << 10
)

// Wires are the connections of a cluster: each node is reached through them, by
// clients and by the other nodes, and what flows from one to another can be held
// back, delayed and broken off. Who connects is found by the kernel's table of
// sockets (Linux). All methods may be called concurrently.
type Wires struct {
	pid func(id int32) int // of a node's process, 0 while it is down

	mu      sync.Mutex
	cut     map[[2]int32]bool
	delay   map[[2]int32]time.Duration
	changed chan struct{} // closed when a direction is healed
	conns   map[*wire]struct{}
	closed  bool
	accepts []net.Listener
	wg      sync.WaitGroup
}

// wire is one connection: from who made it to a node.
type wire struct {
	from, to    int32
	near, far   net.Conn
	ended       chan struct{}
	endedBefore sync.Once
}

func newWires(pid func(id int32) int) *Wires {
	return &Wires{pid: pid, cut: map[[2]int32]bool{}, delay: map[[2]int32]time.Duration{}, changed: make(chan struct{}), conns: map[*wire]struct{}{}}
}

// open makes an address from which wires lead to a node's.
func (w *Wires) open(to int32, backend string) (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	w.accepts = append(w.accepts, ln)
	w.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			w.wg.Go(func() { w.serve(c, to, backend) })
		}
	})
	return ln.Addr().String(), nil
}

func (w *Wires) close() {
	for _, ln := range w.accepts {
		_ = ln.Close()
	}
	w.mu.Lock()
	w.closed = true
	for c := range w.conns {
		c.end()
	}
	w.mu.Unlock()
	w.wg.Wait()
}

// Cut holds back what flows from one to another, without a word to either.
func (w *Wires) Cut(from, to int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[[2]int32{from, to}] = true
}

// Delay lets what flows from one to another arrive later.
func (w *Wires) Delay(from, to int32, by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delay[[2]int32{from, to}] = by
}

// Heal ends all cuts and delays; what was held back arrives.
func (w *Wires) Heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.cut)
	clear(w.delay)
	close(w.changed)
	w.changed = make(chan struct{})
}

// Reset breaks the connections of a node off.
func (w *Wires) Reset(id int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		if c.from == id || c.to == id {
			c.end()
		}
	}
}

func (c *wire) end() {
	c.endedBefore.Do(func() {
		close(c.ended)
		reset(c.near)
		reset(c.far)
	})
}

// reset ends c as the end of a process does that had bytes to read.
func reset(c net.Conn) {
	if tc, ok := c.(*net.TCPConn); ok {
		_ = tc.SetLinger(0)
	}
	_ = c.Close()
}

func (w *Wires) serve(near net.Conn, to int32, backend string) {
	from := w.whose(near)
	far, err := net.Dial("tcp", backend)
	if err != nil {
		reset(near)
		return
	}
	c := &wire{from: from, to: to, near: near, far: far, ended: make(chan struct{})}
	defer c.end()
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return
	}
	w.conns[c] = struct{}{}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.conns, c)
		w.mu.Unlock()
	}()
	var both sync.WaitGroup
	both.Go(func() { w.flow(c, from, to, near, far) })
	both.Go(func() { w.flow(c, to, from, far, near) })
	both.Wait()
}

// chunk is what was read at once; none is the end of a direction.
type chunk struct {
	bytes []byte
	due   time.Time
}

// flow carries one direction. Its end, too, waits until the way is free.
func (w *Wires) flow(c *wire, from, to int32, in, out net.Conn) {
	defer c.end()
	queue := make(chan chunk, chunksMax)
	w.wg.Go(func() {
		defer close(queue)
		for {
			buf := make([]byte, chunkBytes)
			n, err := in.Read(buf)
			if n > 0 {
				select {
				case queue <- chunk{buf[:n], time.Now().Add(w.delayed(from, to))}:
				case <-c.ended:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	for next := range queue {
		if wait := time.Until(next.due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-c.ended:
				return
			}
		}
		if !w.free(c, from, to) {
			return
		}
		if _, err := out.Write(next.bytes); err != nil {
			return
		}
	}
	w.free(c, from, to)
}

func (w *Wires) delayed(from, to int32) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.delay[[2]int32{from, to}]
}

// free waits until a direction is not cut; false means that the wire ended.
func (w *Wires) free(c *wire, from, to int32) bool {
	for {
		w.mu.Lock()
		cut, changed := w.cut[[2]int32{from, to}], w.changed
		w.mu.Unlock()
		if !cut {
			return true
		}
		select {
		case <-changed:
		case <-c.ended:
			return false
		}
	}
}

// whose finds the node whose process has the other end of a connection.
func (w *Wires) whose(c net.Conn) int32 {
	inode := socketInode(c.RemoteAddr().(*net.TCPAddr), c.LocalAddr().(*net.TCPAddr))
	if inode == "" {
		return Client
	}
	for id := int32(1); id <= Nodes; id++ {
		if pid := w.pid(id); pid > 0 && hasSocket(pid, inode) {
			return id
		}
	}
	return Client
}

// socketInode is the inode of the socket that goes from one address to another.
func socketInode(from, to *net.TCPAddr) string {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return ""
	}
	want := hexAddr(from) + " " + hexAddr(to)
	for line := range bytes.Lines(table) {
		fields := strings.Fields(string(line))
		if len(fields) > 9 && fields[1]+" "+fields[2] == want {
			return fields[9]
		}
	}
	return ""
}

// hexAddr is an address of IPv4 as the kernel prints it.
func hexAddr(a *net.TCPAddr) string {
	ip := a.IP.To4()
	if ip == nil {
		return ""
	}
	return fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], a.Port)
}

func hasSocket(pid int, inode string) bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && to == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}
