// Package linearizability turns the history of a run (package history) into a
// verdict: ok, a violation in words that names the operations involved, or
// broken, which says that the history or the time did not suffice.
//
// It is NOT part of the program and imports nothing that it checks, not even
// the table of error codes: what judges shares no code with what made. It runs
// outside the simulated guest, so that a search may be ended by the real clock.
// Nobody keeps state: Check reads a History and makes a Report.
//
//	history ──> index ──> log-order    one log per partition, directly
//	                  ├─> registers    settings, committed offsets: a search
//	                  ├─> anomalies    Jepsen's, by what clients saw alone
//	                  ├─> idempotence  producer ids, epochs, sequences
//	                  ├─> groups       owners, generations, committed offsets
//	                  ├─> retention    by whose leave a record is gone
//	                  ├─> lookups      by time, by epoch; fetch sessions
//	                  └─> liveness     progress after healing, leftovers
//
// Several checkers find the same fault by different ways on purpose: each is
// the check of the others too. All state is keyed by topic id; a name may come
// back with another.
//
// # What is promised
//
// Expect says what an acknowledged append was promised, by the durability of
// its topic and its acks. What struck between an append and the end excuses a
// loss only if the expectation lists it. That is by partition, or for all where
// an event names no topic: in a cluster under "os" the power loss of one node
// excuses, although another may have kept the record. Sharper is a history that
// tells of elections (Header.Elections): power loss alone then excuses nothing, an
// unclean election of the partition does. Damage of a partition excuses from then
// on, as it may be found late. Values of one leader epoch and offset agree whatever
// struck.
//
// # What each sees, and what it cannot see
//
// log-order sees acknowledged or read records that are gone, changed, twice,
// torn, corrupt, out of real-time order, above the high watermark, from nowhere; two
// logs in one leader epoch, replicas' scans included; high watermarks that go
// back within a node's epoch; "latest" below what had been shown (KIP-207). It
// needs final reads: without them a partition with appends is broken. It cannot
// see the order of two appends that overlap, nor loss of what nobody was told
// of. Offsets missing in a sparse topic pass.
//
// registers searches, by porcupine, for an order of each setting's and each
// committed offset's reads and writes, in windows; where a register may lawfully
// forget, knowledge ends. What a window carries to the next are the values that
// may have been last, not which of them a read showed: a fault just across a cut
// can pass. Writes of unknown fate are resolved where a read tells; those of a
// value that is written twice stay open, and enough of them make the verdict
// broken. It also repeats log-order's work on short, undisturbed partitions.
//
// anomalies sees inconsistent-offsets, lost-write, unseen, duplicate, G1a,
// precommitted-read, G1c, poll-skip, nonmonotonic-poll, nonmonotonic-send, and
// those within one operation (int-). An assignment or a seek frees a consumer's
// next step. G0, and circles that need a write-write edge, are allowed by Kafka
// and not looked for. A skipped offset that nobody ever read is no poll-skip; it
// is log-order's to find.
//
// idempotence sees sequences with two values, values twice, gaps, epochs that
// fall, answers to repeated batches that name another offset, producer ids
// handed out twice or after a log held them. It does not see ids taken by a
// client whose answer was lost.
//
// groups sees partitions with two owners in a generation, generations that go
// back, commits of older generations accepted (classic protocol; the epochs of
// KIP-848 are each member's own and only compared with its own), offsets
// fetched that were never committed or had been replaced, coordinators older
// than one that had answered, and groups that do not settle after healing. It
// cannot see overlap of ownership in time between two generations: a member
// learns of its loss at its next heartbeat.
//
// retention sees records gone before they had the age in true time, give or
// take the stated skew, or what remained the size, unless someone asked; and a
// log start that goes back behind an acknowledged DeleteRecords, or a record
// below it that is read. It takes the smallest setting that was ever asked for,
// and batch sizes as sent. It does not see records kept for too long, nor
// settings of the broker.
//
// lookups sees answers by timestamp and by leader epoch that a scan of what was
// read contradicts, and fetch sessions that differ from their shadows. Records
// that may have been below the log start are left out of the scan. Where
// something struck that takes records there is no one log to scan, and a note
// says so.
//
// liveness sees clients without progress after the last healed mark, operations
// open for longer than its deadline, what a clean stop left beyond what the mark
// allows, and, after a prompt mark, answers that are late. Without a healed mark a note says that it did not look.
//
// All but the searches are near linear: 100,000 operations take about a second.
package linearizability
