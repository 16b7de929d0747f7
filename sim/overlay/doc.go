// Package overlay makes the patches to Go's runtime that a guest is built
// with, for "go build -overlay": copies of files of the installed Go with
// lines exchanged, and files of our own beside them.
//
//	patches.go              what is exchanged, and why
//	runtime/sched.go.txt    the seeded choice of who runs next, for both engines
//	runtime/native.go.txt   one thread, virtual time, seeded randomness
//
// A pattern must occur exactly once in its file, else New fails and names
// both: a runtime that was patched by halves would run, and not be
// deterministic. Native takes only toolchains that the self-test has passed
// with (TriedVersions); RunQueue takes any that its few patterns fit.
//
// Not a fork of Go: nothing below GOROOT is written. The hash of an overlay
// covers all of its files, and stands in the record of every failure.
package overlay
