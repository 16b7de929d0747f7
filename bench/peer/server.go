package peer

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/moldau/moldau/bench/await"
)

// Server is a running process that serves Kafka's protocol.
type Server struct {
	Name string // "moldau" or "kafka"
	Addr string // of the clients' listener
	HTTP string // of Moldau's metrics and profiles; empty for Kafka
	Data string // log directory
	PID  int
	Exec time.Time // when the process was started

	cmd  *exec.Cmd
	log  *tail
	done chan struct{}
	err  error // how it ended; after done
}

// Spec says how to start a server.
type Spec struct {
	Name, Addr, HTTP, Data string
	Command                []string
	Env                    []string
}

// Start executes the command and returns at once.
func Start(spec Spec) (*Server, error) {
	s := &Server{
		Name: spec.Name, Addr: spec.Addr, HTTP: spec.HTTP, Data: spec.Data,
		log: &tail{}, done: make(chan struct{}),
	}
	s.cmd = exec.Command(spec.Command[0], spec.Command[1:]...)
	s.cmd.Env = append(os.Environ(), spec.Env...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.Exec = time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	s.PID = s.cmd.Process.Pid
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	return s, nil
}

// Await polls until ready succeeds. It fails when the process ends or after
// timeout.
func (s *Server) Await(timeout, every time.Duration, ready func() error) error {
	ended := false
	err := await.Until(timeout, every, func() error {
		err := ready()
		select {
		case <-s.done:
			ended = err != nil
		default:
		}
		if ended {
			return nil
		}
		return err
	})
	switch {
	case ended:
		return fmt.Errorf("%s ended: %v\n%s", s.Name, s.err, s.Log())
	case err != nil:
		return fmt.Errorf("%s is not ready %w\n%s", s.Name, err, s.Log())
	}
	return nil
}

// Ended is closed when the process has ended.
func (s *Server) Ended() <-chan struct{} { return s.done }

// Log is the last part of what the process wrote.
func (s *Server) Log() string { return s.log.String() }

// Kill ends the process with SIGKILL and waits for its end.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.done
}

// Pause stops the process with SIGSTOP and returns when it has: on a busy machine
// its threads go on for a while after the signal was sent.
func (s *Server) Pause() error {
	if err := syscall.Kill(s.PID, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("pause %s: %w", s.Name, err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(s.PID, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		return fmt.Errorf("pause %s: it ended (%v)", s.Name, err)
	}
	return nil
}

// Resume has a paused process go on.
func (s *Server) Resume() error { return syscall.Kill(s.PID, syscall.SIGCONT) }

// stopTimeout is how long a process may take to stop by itself.
const stopTimeout = 30 * time.Second

// Stop asks the process to end, with SIGTERM, and kills one that does not.
func (s *Server) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.done:
		return nil
	case <-time.After(stopTimeout):
		s.Kill()
		return fmt.Errorf("%s did not stop within %s and was killed", s.Name, stopTimeout)
	}
}

// FreeAddrs are addresses of this machine that nobody listens on at the moment.
func FreeAddrs(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // all are held until the last is found, so that they differ
		out = append(out, l.Addr().String())
	}
	return out, nil
}

// tail keeps the last part of a log.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const tailBytesMax = 64 << 10

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len()+len(p) > tailBytesMax {
		l.buf.Reset()
	}
	return l.buf.Write(p)
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
