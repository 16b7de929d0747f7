package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// lastWords is how long a guest may take to print its stacks, once told to
// end.
const lastWords = 10 * time.Second

// stderrKeep is how many bytes of standard error are kept from each end.
const stderrKeep = 128 << 10

// Run runs the guest once. A guest that breaks is no error: see Result.Broken.
// An error is a parameter out of range or a machine in trouble; or ctx ended,
// and the guest with it.
func (g *Guest) Run(ctx context.Context, p Params) (Result, error) {
	if p.WallLimit == 0 {
		p.WallLimit = WallLimitDefault
	}
	if p.CPULimit == 0 {
		p.CPULimit = CPULimitDefault
	}
	if p.Memory == 0 {
		p.Memory = MemoryDefault
	}
	if p.StdoutMax == 0 {
		p.StdoutMax = StdoutMaxDefault
	}
	r := run{guest: g, Params: p}
	if err := r.prepare(); err != nil {
		return Result{}, fmt.Errorf("engine: %w", err)
	}
	err := r.do(ctx)
	if err == nil {
		err = r.readStderr()
	}
	r.judge()
	if err := errors.Join(err, r.stdout.Close(), r.stderr.Close(), os.Remove(r.stderr.Name())); err != nil {
		return Result{}, fmt.Errorf("engine: %w", err)
	}
	return r.result, nil
}

// run is one run under way.
type run struct {
	Params
	guest          *Guest
	cmd            *exec.Cmd
	stdout, stderr *os.File
	result         Result
}

// prepare opens the files and makes the command.
func (r *run) prepare() error {
	env, err := r.environment()
	if err != nil {
		return err
	}
	switch r.guest.Engine {
	case Wasm:
		r.cmd = exec.Command(r.guest.worker, r.guest.Path, r.guest.cache, fmt.Sprint(r.Memory))
	default:
		r.cmd = &exec.Cmd{Path: r.guest.Path, Args: []string{"guest"}}
	}
	r.cmd.Env, r.cmd.Dir = env, r.CoverDir
	if r.Stdout, err = filepath.Abs(r.Stdout); err != nil {
		return err
	}
	if r.stdout, err = os.Create(r.Stdout); err != nil {
		return err
	}
	// Files, not pipes: a guest that waited for a reader would stop its clock.
	if r.stderr, err = os.CreateTemp(filepath.Dir(r.Stdout), ".stderr-*"); err != nil {
		return errors.Join(err, r.stdout.Close())
	}
	r.cmd.Stdout, r.cmd.Stderr = r.stdout, r.stderr
	r.result.Stdout = r.Stdout
	return nil
}

// do starts the process, bounds it, and waits for it.
func (r *run) do(ctx context.Context) error {
	begin := time.Now()
	if err := r.cmd.Start(); err != nil {
		return err
	}
	if err := r.limit(r.cmd.Process.Pid); err != nil && !errors.Is(err, syscall.ESRCH) {
		return errors.Join(err, r.cmd.Process.Kill(), r.cmd.Wait())
	}
	ended := make(chan error, 1)
	go func() { ended <- r.cmd.Wait() }()
	wall := time.NewTimer(r.WallLimit)
	defer wall.Stop()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		return errors.Join(ctx.Err(), ignoreDone(r.cmd.Process.Kill()), ignoreExit(<-ended))
	case <-wall.C:
		r.result.Ending = OverTime
		if err := ignoreDone(r.cmd.Process.Signal(syscall.SIGQUIT)); err != nil {
			return errors.Join(err, r.cmd.Process.Kill(), <-ended)
		}
		err = r.afterQuit(ended)
	}
	r.result.Wall = time.Since(begin)
	r.account()
	return ignoreExit(err)
}

// afterQuit waits for the stacks of a guest that was told to end.
func (r *run) afterQuit(ended <-chan error) error {
	patience := time.NewTimer(lastWords)
	defer patience.Stop()
	select {
	case err := <-ended:
		return err
	case <-patience.C:
		return errors.Join(ignoreDone(r.cmd.Process.Kill()), ignoreExit(<-ended))
	}
}

// account takes what the process used from its state.
func (r *run) account() {
	state := r.cmd.ProcessState
	r.result.Exit = state.ExitCode()
	r.result.CPU = state.UserTime() + state.SystemTime()
	r.result.RSSMax = rssMax(state)
}

// judge tells by its output and last words which bound a guest met.
func (r *run) judge() {
	if r.result.Ending != Exited || r.result.Exit == 0 {
		return
	}
	if size, err := r.stdout.Seek(0, io.SeekEnd); err == nil && size >= r.StdoutMax {
		r.result.Ending = OverOutput
		return
	}
	for _, words := range lastWordsOf {
		if strings.Contains(r.result.Stderr, words.text) {
			r.result.Ending = words.ending
			return
		}
	}
}

// lastWordsOf are what the runtime says when the kernel keeps it to a bound.
var lastWordsOf = [...]struct {
	text   string
	ending Ending
}{
	{"SIGXCPU: cpu limit exceeded", OverTime},
	{"fatal error: runtime: out of memory", OverMemory},
	{"fatal error: runtime: cannot allocate memory", OverMemory},
	{"fatal error: out of memory", OverMemory},
	{"cannot map pages in arena", OverMemory},
	{"goroutine stack exceeds", OverMemory},
}

// readStderr keeps both ends of standard error.
func (r *run) readStderr() error {
	size, err := r.stderr.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	read := func(at, n int64) (string, error) {
		b := make([]byte, n)
		_, err := r.stderr.ReadAt(b, at)
		return string(b), err
	}
	if size <= 2*stderrKeep {
		r.result.Stderr, err = read(0, size)
		return err
	}
	first, err := read(0, stderrKeep)
	last, errLast := read(size-stderrKeep, stderrKeep)
	r.result.Stderr = fmt.Sprintf("%s\n... %d bytes left out ...\n%s", first, size-2*stderrKeep, last)
	return errors.Join(err, errLast)
}

// ignoreExit drops the error that a status other than 0 is.
func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// ignoreDone drops the error that a process has ended already.
func ignoreDone(err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
