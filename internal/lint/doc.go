// Package lint is the repository's policy as tests: `go test ./internal/lint`,
// or make lint. It reads and type-checks the source; it is no part of the
// program.
//
//	arrows.go   which room may import which, with a reason per forbidden arrow
//	purity.go   what the pure packages must do without
//	seams.go    what nobody but the real edges may touch
//	globals.go  no package-level state, no init
//	promises.go every sync says what for
//	docs.go     every package says what it is
//	deps.go     the modules that a binary is made of, as a golden
//
// Every check has a file in testdata/planted that breaks it, line by line, and
// a test that sees each of these lines found: a check that finds nothing any
// more would otherwise go unnoticed.
package lint
