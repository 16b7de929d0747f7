package engine

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// workerMemory is what the process around a wasm guest may have beside it, in
// bytes: wazero, and the guest's machine code.
const workerMemory = 2 << 30

// limit has the kernel bound a process. Memory is what it may write to
// (RLIMIT_DATA): address space that a runtime has merely reserved is free. The
// bound on CPU time ends a guest that spins, its host gone or not.
func (r *run) limit(pid int) error {
	memory := uint64(r.Memory)
	if r.guest.Engine == Wasm {
		memory += workerMemory
	}
	cpu := uint64(r.CPULimit / time.Second)
	set := func(resource int, limit uint64) error {
		return unix.Prlimit(pid, resource, &unix.Rlimit{Cur: limit, Max: limit}, nil)
	}
	return errors.Join(set(unix.RLIMIT_DATA, memory), set(unix.RLIMIT_FSIZE, uint64(r.StdoutMax)), set(unix.RLIMIT_CPU, cpu))
}

// rssMax is the peak memory of a process that has ended, in bytes.
func rssMax(state *os.ProcessState) int64 {
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		return usage.Maxrss << 10
	}
	return 0
}
