// Package coord is the contract between a coordinator (consumer groups;
// transactions and share groups alike) and the shard that leads the internal
// topic's partition in which that coordinator keeps its state.
//
// A Machine is the coordinator of one partition: it decides on requests and
// on the passing of time, and says which records make its decisions durable.
// A Runtime carries one Machine through its life: load, serve, drop.
//
//	        Begin            Loaded
//	Idle ───────────▶ Loading ──────▶ Active ──┐
//	 ▲  ▲   Unload       │    Unload     │     │ append fails, Failed
//	 │  └────────────────┘               │     ▼
//	 └───────────────────────────────────┴── Failed ──Begin──▶ Loading
//
// What the package is NOT: it knows no group, no topic configuration and no
// network. It owns no goroutine: the shard's loop calls it, and every call
// returns at once with the replies that may go out.
//
// # Speculation and the high watermark
//
// Handle and Tick change the Machine's state at once, before their records
// are durable. Replay is therefore called for the records of the log at load
// only, never for those of an Outcome. All records of one Outcome travel in
// one batch, so that they survive together or not at all.
//
// Who owns state: the Machine its own; the Runtime the order of the appends
// and the replies that wait. Invariants:
//
//   - A reply that comes with records leaves only when the high watermark has
//     passed them.
//   - A reply marked Barrier leaves only when the high watermark has passed
//     everything that was appended before it, including what was loaded:
//     nobody is shown a change that a new leader might not have.
//   - Waiting replies leave in the order in which they were decided.
//   - Every token is answered exactly once: by its reply, or, when the
//     Machine is dropped, by an error.
//   - A Machine that has decided something which cannot be appended is never
//     asked again: it is dropped, and made anew from the log.
package coord
