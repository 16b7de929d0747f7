package hostile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// begunLine is what the crowd's process prints when all have tried to connect.
const begunLine = "begun\n"

// Process is a crowd in a process of its own.
type Process struct {
	PID   int
	stdin io.Closer
	cmd   *exec.Cmd
}

// Start runs binary, the built command crowd, against addr. It returns when
// each of the crowd has tried to connect; End ends it.
func Start(binary, addr string) (*Process, error) {
	cmd := exec.Command(binary, addr)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the crowd: %w", err)
	}
	p := &Process{PID: cmd.Process.Pid, stdin: in, cmd: cmd}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != begunLine {
		return nil, errors.Join(fmt.Errorf("the crowd says %q: %v", line, err), p.End())
	}
	return p, nil
}

// End ends the process, and all of its connections. An error says that it had
// ended before.
func (p *Process) End() error {
	_ = p.stdin.Close() // one that has ended holds no end of it
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("the crowd ended by itself: %w", err)
	}
	return nil
}

// Serve is the process: it attacks addr until in ends.
func Serve(addr string, in io.Reader, out io.Writer) error {
	Prepare(addr).Begin()
	if _, err := io.WriteString(out, begunLine); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, in)
	return err
}
