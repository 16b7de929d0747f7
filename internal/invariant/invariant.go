// Package invariant holds the assertions that stay on in production: cheap
// facts whose failure means that the program itself is wrong. A violated one
// panics; only the process edge recovers, to log and to exit. Wrong input
// never ends here: it gets an error.
package invariant

import "fmt"

// Violation is the value that a failed Check panics with.
type Violation struct{ Text string }

func (v Violation) Error() string { return "invariant violated: " + v.Text }

// Check panics with a Violation when holds is false. The arguments are
// evaluated by the caller in any case, so keep them cheap.
func Check(holds bool, format string, args ...any) {
	if !holds {
		fail(format, args)
	}
}

// Unreachable marks a place that cannot be reached, by name.
func Unreachable(format string, args ...any) { fail("unreachable: "+format, args) }

//go:noinline
func fail(format string, args []any) {
	panic(Violation{Text: fmt.Sprintf(format, args...)})
}
