//go:build !wasip1

// Command wasmworker runs one wasm guest and ends as it ends. Package engine
// builds and starts it; it is of no use alone.
//
//	wasmworker MODULE CACHE MEMORY
//
// MODULE is the program, CACHE a folder for its machine code, MEMORY what the
// guest may have in bytes. Standard output and the environment are the
// guest's. Its clock is virtual: it moves by being read, and by sleeping. Its
// randomness follows from SIM_SEED. Told to quit (SIGQUIT), the worker ends
// the guest when it next reads its clock or sleeps, and prints its stack.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// garbage is how much the worker may leave behind beside the guest's memory,
// in bytes, before it is collected.
const garbage = 512 << 20

// failed is the exit status of a worker that could not do its work.
const failed = 125

func main() {
	status, err := work(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

// work runs the guest and returns its exit status.
func work(args []string) (int, error) {
	if len(args) != 3 {
		return failed, errors.New("usage: wasmworker MODULE CACHE MEMORY")
	}
	memory, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return failed, fmt.Errorf("MEMORY: %w", err)
	}
	seed, err := strconv.ParseUint(os.Getenv("SIM_SEED"), 10, 64)
	if err != nil {
		return failed, fmt.Errorf("SIM_SEED: %w", err)
	}
	program, err := os.ReadFile(args[0])
	if err != nil {
		return failed, err
	}
	cache, err := wazero.NewCompilationCacheWithDir(args[1])
	if err != nil {
		return failed, err
	}
	ctx := context.Background()
	const page, pagesMax = 64 << 10, 1 << 16
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithCompilationCache(cache).WithMemoryLimitPages(uint32(min(memory/page, pagesMax))))
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, runtime); err != nil {
		return failed, err
	}
	module, err := runtime.CompileModule(ctx, program)
	if err != nil {
		return failed, err
	}
	// A collection would wait for the guest to stop, and a guest that spins does
	// not: so there is none unless memory runs short.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(int64(memory) + garbage)
	_, err = runtime.InstantiateModule(ctx, module, config(seed))
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		return int(exit.ExitCode()), nil
	}
	if err != nil {
		return failed, err
	}
	return 0, nil
}

// config is the world of a guest.
func config(seed uint64) wazero.ModuleConfig {
	// Bare writers: of a file the guest would see what kind it is, and when it
	// was changed.
	stdout, stderr := struct{ io.Writer }{os.Stdout}, struct{ io.Writer }{os.Stderr}
	c := wazero.NewModuleConfig().WithArgs("guest").WithStdout(stdout).WithStderr(stderr).WithRandSource(random(seed))
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if name == "GOCOVERDIR" {
			c = c.WithFSConfig(wazero.NewFSConfig().WithDirMount(value, "/cover"))
			value = "/cover"
		}
		c = c.WithEnv(name, value)
	}
	clock := newClock()
	return c.WithWalltime(clock.wall, 1).WithNanotime(clock.read, 1).WithNanosleep(clock.sleep)
}

// random is the source of a guest's randomness.
func random(seed uint64) *rand.ChaCha8 {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}

// clock is virtual time. The guest has one thread, and so has its clock.
type clock struct {
	now  int64 // ns since 1970
	quit *atomic.Bool
}

const (
	begin = 1257894000e9 // as in a native guest: 10 November 2009, 23:00 UTC
	step  = 100          // ns that a reading takes, as in a native guest

	patience = 2 * time.Second // for the guest's next call, once told to quit
	stuck    = 2               // exit status of a worker whose guest made none
)

func newClock() *clock {
	c := &clock{now: begin, quit: new(atomic.Bool)}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGQUIT)
	go func() {
		<-told
		c.quit.Store(true)
		time.Sleep(patience)
		fmt.Fprintln(os.Stderr, "the guest asks its clock no more, so that its stack is not known: run the seed on the native engine")
		os.Exit(stuck)
	}()
	return c
}

func (c *clock) wall() (int64, int32) {
	now := c.read()
	return now / 1e9, int32(now % 1e9)
}

func (c *clock) read() int64 {
	c.stop()
	c.now += step
	return c.now
}

func (c *clock) sleep(ns int64) {
	c.stop()
	c.now += max(ns, 0)
}

// stop ends the guest once the worker was told to quit: wazero makes an error
// with the guest's stack of a panic.
func (c *clock) stop() {
	if c.quit.Load() {
		panic("told to quit")
	}
}
