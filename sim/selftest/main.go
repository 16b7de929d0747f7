// Command selftest is a guest with bugs planted in it that only some orders of
// its goroutines show, and with every way to end badly. Its tests say whether
// the engines find the bugs, repeat a seed to the byte, and keep a guest to
// its bounds.
//
// SIM_SCENARIO names what to do, SIM_SEED chooses the order. A bug that showed
// prints "found".
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	name := strings.TrimSpace(os.Getenv("SIM_SCENARIO"))
	if bug, ok := bugs[name]; ok {
		if bug() {
			fmt.Println("found")
		} else {
			fmt.Println("not found")
		}
		return
	}
	if other, ok := others[name]; ok {
		other()
		return
	}
	fmt.Fprintf(os.Stderr, "no scenario %q\n", name)
	os.Exit(1)
}
