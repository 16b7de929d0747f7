// Package engine builds a guest, which is the whole simulated system as one
// program, and runs it: one process a run, with nothing but its parameters to
// tell two runs apart.
//
//	Choose ─► Build ─► Guest ─► Run(Params) ─► Result
//	            │                 │
//	   go build -overlay     native: the guest's own process
//	   (sim/overlay)         wasm: a worker process with wazero in it
//
// There are two engines for the same guest. Native builds it for this machine
// with a runtime of one thread, seeded randomness and virtual time; it runs
// where the overlay knows the toolchain. Wasm builds it for wasip1 and needs
// the run-queue patches alone; it is slower, and the check on the first. A
// seed makes another run on each of them.
//
// What reaches a guest is fixed: no arguments, one set of variables of fixed
// width, an empty standard input, and files for the rest. What it may use up
// is bounded: wall-clock time, memory, output. A run that ends by a bound, or
// with another exit status than 0, is broken (Result.Broken), and its standard
// error has the guest's stack.
//
// Not a judge: what the output means is the host's business. Not a scheduler
// of runs: Run may be called concurrently, and how many run at once is the
// caller's choice.
//
// Who owns state: a Guest is immutable. Its files lie below Config.Out, named
// by their content, so that a build under way disturbs no run.
package engine
