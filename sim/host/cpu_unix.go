//go:build unix

package main

import (
	"syscall"
	"time"
)

// ownCPU is the CPU time that this process has used so far, its children aside.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
