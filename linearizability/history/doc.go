// Package history is what a run leaves behind for its checkers: which client
// asked what, when, what it was told, and which faults struck meanwhile.
//
// It is NOT the trace (every event of the broker, for people) and it knows no
// broker type: topic ids are text, error codes are numbers, values are hashes.
// The recorder makes Ops and gives them to a Writer; Load gives the whole
// History back, which nobody changes from then on.
//
// # Format, version 2
//
// JSON, one object a line, each with exactly one member that says what it is:
//
//	{"header":{"format":"moldau-history","version":1,...}}   the first line
//	{"topic":{...}}      a topic id and what was promised for it
//	{"op":{...}}         one operation on one partition, register or group
//	{"event":{...}}      a fault or a mark
//	{"end":{"at":...,"lines":...}}   the last line; without it the run was cut off
//
// Unknown members are refused: a recorder that writes what no checker reads is
// wrong about one of the two. A new member is a new version.
//
// # What the recorder owes
//
//  1. Times are true time: nanoseconds of the simulation since its begin, by a
//     clock that no fault touches. Header.EpochMs is the wall clock at 0.
//  2. An operation is one attempt on one partition. A request that names
//     several becomes several operations with the same times and Request.
//  3. Each record of a run has a value hash of its own. Two produce operations
//     with one value are two attempts at one append.
//  4. Outcome follows Classify for one attempt. A client call that may have
//     tried several times failed definitely only if every attempt did.
//  5. An operation that its client gave up has OutcomeMaybe, and Return says
//     when; its effect may come later. One that is still waited for when the run
//     ends has Return Never.
//  6. Records of a read are those that the client was given: what lies below
//     the asked position in the first batch is left out.
//  7. A run ends with reads marked Final, of every partition from its log start
//     to its high watermark, both of which they state, when nothing is under way
//     any more. A topic that is deleted needs none.
//  8. A client is one member of one group at a time.
//  9. EventDamage is written where more was destroyed than the promise must
//     survive, and only there: it excuses, and names the partition where it can.
//     So do EventUnclean, and, by durability and acks, EventLeader, and
//     EventPowerLoss unless Header.Elections says that elections tell.
//     EventReplaced ends what EventDamage of that node's copy explains of its answers.
//  10. EventReadError and EventFlip are about single reads, at their time: they
//     excuse answers that were given meanwhile, and no loss.
package history
