// Package proc reads what Linux tells in /proc about a process and about the
// whole machine, and says of a stretch of time who had the processors: the
// server, the driver, the kernel's own threads, and others.
//
// Times of processes are those of /proc/PID/stat (user and system, all
// threads, ended ones too), exact to a clock tick, 10 ms. It is no profiler,
// and it says nothing of a machine that is not Linux: there every call fails.
package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// tick is the unit of times in /proc: USER_HZ is 100 on every architecture that Go runs on.
	tick = 10 * time.Millisecond
	// kernelThread is the flag PF_KTHREAD of a process.
	kernelThread = 0x0020_0000
)

// FS reads a /proc; tests have one of their own.
type FS struct{ Dir string }

// Real is the machine's.
func Real() FS { return FS{Dir: "/proc"} }

// Process is what /proc/PID says.
type Process struct {
	CPU    time.Duration // user and system time since its start
	Kernel bool          // one of the kernel's own threads
}

// Process reads /proc/PID/stat.
func (f FS) Process(pid int) (Process, error) {
	data, err := os.ReadFile(filepath.Join(f.Dir, strconv.Itoa(pid), "stat"))
	if err != nil {
		return Process{}, fmt.Errorf("read the times of process %d: %w", pid, err)
	}
	return parseProcess(string(data))
}

// parseProcess takes fields 9, 14 and 15. The second, the program's name in
// brackets, may hold anything.
func parseProcess(line string) (Process, error) {
	end := strings.LastIndexByte(line, ')')
	fields := strings.Fields(line[end+1:])
	if end < 0 || len(fields) < 13 {
		return Process{}, fmt.Errorf("times of a process: %d fields", len(fields))
	}
	numbers, err := parse(fields[6], fields[11], fields[12])
	if err != nil {
		return Process{}, fmt.Errorf("times of a process: %w", err)
	}
	return Process{CPU: time.Duration(numbers[1]+numbers[2]) * tick, Kernel: numbers[0]&kernelThread != 0}, nil
}

// Memory of a process.
type Memory struct{ RSS, PeakRSS int64 } // bytes

// Memory reads /proc/PID/status.
func (f FS) Memory(pid int) (Memory, error) {
	data, err := os.ReadFile(filepath.Join(f.Dir, strconv.Itoa(pid), "status"))
	if err != nil {
		return Memory{}, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	m := Memory{RSS: -1, PeakRSS: -1}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || (fields[0] != "VmRSS:" && fields[0] != "VmHWM:") {
			continue
		}
		numbers, err := parse(fields[1])
		if err != nil {
			return Memory{}, fmt.Errorf("memory of process %d: %w", pid, err)
		}
		if fields[0] == "VmRSS:" {
			m.RSS = int64(numbers[0]) << 10
		} else {
			m.PeakRSS = int64(numbers[0]) << 10
		}
	}
	if m.RSS < 0 || m.PeakRSS < 0 {
		return Memory{}, fmt.Errorf("memory of process %d: not in its status", pid)
	}
	return m, nil
}

// Machine is the first line of /proc/stat.
type Machine struct {
	Busy time.Duration // of all processors together, time that another machine took included
	CPUs int
}

// Machine reads /proc/stat.
func (f FS) Machine() (Machine, error) {
	data, err := os.ReadFile(filepath.Join(f.Dir, "stat"))
	if err != nil {
		return Machine{}, fmt.Errorf("read the machine's times: %w", err)
	}
	var m Machine
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || !strings.HasPrefix(fields[0], "cpu"):
		case fields[0] != "cpu":
			m.CPUs++
		case len(fields) < 9:
			return Machine{}, fmt.Errorf("the machine's times: %d fields", len(fields))
		default:
			// user nice system idle iowait irq softirq steal; guests are in user.
			n, err := parse(fields[1:9]...)
			if err != nil {
				return Machine{}, fmt.Errorf("the machine's times: %w", err)
			}
			m.Busy = time.Duration(n[0]+n[1]+n[2]+n[5]+n[6]+n[7]) * tick
		}
	}
	if m.CPUs == 0 || m.Busy == 0 {
		return Machine{}, errors.New("the machine's times: no processors in /proc/stat")
	}
	return m, nil
}

// kernelThreads is the time of each of the kernel's threads, by process id.
func (f FS) kernelThreads() (map[int]time.Duration, error) {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	out := map[int]time.Duration{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, err := f.Process(pid)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !p.Kernel {
			continue
		}
		if err == nil {
			out[pid] = p.CPU
		}
	}
	return out, nil
}

func parse(fields ...string) ([]uint64, error) {
	out := make([]uint64, len(fields))
	for i, field := range fields {
		n, err := strconv.ParseUint(field, 10, 63)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}
