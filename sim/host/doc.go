// Command host runs the simulator: it builds the guest (sim/guest) for an engine
// (sim/engine), runs it once per seed and scenario, judges the history that each
// run leaves (linearizability), and keeps what a failure needs to be read and
// replayed.
//
//	seeds × scenarios ─► engine.Run ─► stdout of the guest ─┬─ hash of all of it
//	                                                        ├─ history ─► checkers
//	                                                        └─ trace ──► text, for people
//
// Commands: run, ci, determinism, corpus, hunt, coverage, plants. Each prints
// one line per run,
//
//	seed=7 scenario=mixed virtual=60s events=12345 faults=17 ops=890 acked=801 trace=<16 hex> verdict=ok
//
// and ends with status 1 after a violation, 2 after a broken run or a wrong use.
// A run is broken when it says nothing: the guest trapped, hung, or passed a
// budget, the checkers had too little time, or two runs of one seed differed.
//
// Not a judge of its own: what is right is in package linearizability alone.
//
// Who owns state: a batch owns its runs; what outlives the process are files
// below -out.
package main
