package node

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// attachTimeout is how long strace may take to take hold of a process, and to let
// it go.
const attachTimeout = 30 * time.Second

// SlowDisk has every sync of a process take longer by d, by way of the program
// strace, until heal is called. A process that was killed meanwhile needs no
// healing, but heal must be called. It fails where this process may not trace.
func SlowDisk(strace string, pid int, d time.Duration) (heal func() error, err error) {
	const syncs = "fsync,fdatasync"
	cmd := exec.Command(strace, "-f", "-p", fmt.Sprint(pid), "-o", os.DevNull, "-e", "trace="+syncs,
		"-e", fmt.Sprintf("inject=%s:delay_enter=%d", syncs, d.Microseconds()))
	says, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	attached, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		lines, refused := bufio.NewScanner(says), ""
		for lines.Scan() {
			if strings.Contains(lines.Text(), "attached") {
				close(attached)
				break
			}
			refused += lines.Text()
		}
		_, _ = io.Copy(io.Discard, says) // of each thread
		_ = cmd.Wait()                   // a signal ended it
		ended <- errors.New("strace: " + refused)
	}()
	select {
	case <-attached:
	case err := <-ended:
		return nil, err
	case <-time.After(attachTimeout):
		_ = cmd.Process.Kill()
		return nil, fmt.Errorf("strace does not attach within %s", attachTimeout)
	}
	return func() error {
		_ = cmd.Process.Signal(syscall.SIGINT) // it ends with what it traces
		select {
		case <-ended:
			return nil
		case <-time.After(attachTimeout):
			_ = cmd.Process.Kill()
			return fmt.Errorf("strace does not let go within %s", attachTimeout)
		}
	}, nil
}
