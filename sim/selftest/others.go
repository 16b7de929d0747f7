package main

import (
	"fmt"
	"os"
	"time"

	"github.com/moldau/moldau/internal/simcore"
)

// others are ways to end, and the load that determinism is tested on.
var others = map[string]func(){
	"churn":    churn,
	"ticks":    ticks,
	"nothing":  func() {},
	"spin":     spin,
	"poll":     poll,
	"deadlock": func() { select {} },
	"panic":    func() { panic("planted") },
	"give-up":  func() { fmt.Fprintln(os.Stderr, "planted"); os.Exit(3) },
	"hoard":    hoard,
	"flood":    flood,
	"recurse":  func() { fmt.Fprintln(os.Stderr, recurse(0)) },
	"see":      see,
}

// spin never comes back, and asks nobody anything.
func spin() {
	for n := uint64(1); n != 0; n += 2 {
		spun(n)
	}
}

//go:noinline
func spun(uint64) {}

// ticks sleeps often: what a jump of the clock costs.
func ticks() {
	var clock simcore.ProcessTime
	woken := make(chan struct{}, 1)
	for range 200_000 {
		clock.AfterFunc(time.Millisecond, func() { woken <- struct{}{} })
		<-woken
	}
}

// poll waits for a time that is too far away, by reading the clock.
func poll() {
	var clock simcore.ProcessTime
	for begin := clock.Now(); clock.Now().Sub(begin) < 1e6*time.Hour; {
		spun(0)
	}
}

// hoard takes memory until there is none.
func hoard() {
	const size = 1 << 20
	var all [][]byte
	for {
		b := make([]byte, size)
		for i := 0; i < size; i += 1 << 10 {
			b[i] = 1
		}
		all = append(all, b)
		if len(all)%1024 == 0 {
			fmt.Println(len(all))
		}
	}
}

// flood prints for ever.
func flood() {
	line := make([]byte, 1<<16)
	for {
		if _, err := os.Stdout.Write(line); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	}
}

func recurse(n int) int {
	if n < 0 {
		return 0
	}
	return recurse(n+1) + 1
}

// see prints all that the guest knows of the outside.
func see() {
	fmt.Println(len(os.Args), os.Args[0])
	for _, variable := range os.Environ() {
		fmt.Println(variable)
	}
}
