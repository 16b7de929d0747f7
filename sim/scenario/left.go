package scenario

import (
	"runtime"
	"slices"
	"strings"
)

// stacksMax bounds the text of all goroutines' stacks, in bytes.
const stacksMax = 4 << 20

// waiting names the goroutines that there are: where each waits and who made
// it, without addresses and numbers, sorted.
func waiting() (names []string) {
	buf := make([]byte, stacksMax)
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		var calls []string
		for _, line := range strings.Split(g, "\n")[1:] {
			if line == "" || line[0] == '\t' {
				continue
			}
			if i := strings.LastIndexByte(line, '('); i > 0 && !strings.HasPrefix(line, "created by") {
				line = line[:i]
			}
			line, _, _ = strings.Cut(line, " in goroutine")
			calls = append(calls, line)
		}
		names = append(names, strings.Join(calls, " < "))
	}
	slices.Sort(names)
	return names
}
