// Package group coordinates the groups of one partition of __consumer_offsets:
// the classic protocol's membership (JoinGroup, SyncGroup, Heartbeat,
// LeaveGroup), committed offsets, and their administration (List, Describe,
// DeleteGroups, OffsetDelete). Machine implements coord.Machine; its runtime
// appends the records, holds replies back until they are committed, and drops
// the Machine when the lead is lost.
//
// What it is NOT: it finds no coordinator, authorizes nobody, and splits no
// request: whoever calls sends each group's request to its partition
// (coord.PartitionFor) and fills in authorized operations. The newer group
// protocols (their records are skipped at load) and offsets within
// transactions are not here.
//
// # State
//
//	Machine ─ groups by id ─ group ─ members in the order of joining, the
//	   │                       │     first of whom leads
//	   │                       └─ offsets by topic, by partition
//	   ├─ timers: a session per member, one per group's phase, the sweep
//	   └─ jobs: deletions and the sweep, as far as they did not fit into a batch
//
// A group lives through the states of State. What the log holds of it is its
// last complete generation (written when the leader has assigned, when a
// static member comes back, and when the group becomes empty) and its offsets;
// a rebalance is in memory only. After a load it is as it was before the
// rebalance, with new sessions, and its members join again when they hear
// ILLEGAL_GENERATION or UNKNOWN_MEMBER_ID.
//
// # Invariants
//
//   - A generation's number grows with every one that is formed, and nobody
//     is given an assignment before it is committed: no two coordinators hand
//     out the same generation differently.
//   - Every group that prepares or completes a rebalance has a timer. Members
//     that do not come back, or never sync however alive their heartbeats are,
//     are removed when the rebalance timeout has passed; the others go on.
//   - Every request is answered: also that of a member which is removed, which
//     is fenced, or which asks again before its first answer came.
//   - The state that the records give is the state in memory, but for
//     rebalances and timers.
//   - One decision is one batch. What may be larger is decided in pieces (job);
//     what may not is refused (INVALID_COMMIT_OFFSET_SIZE for a commit,
//     UNKNOWN_SERVER_ERROR for an assignment).
//   - Sessions and phases run by the monotonic clock, retention by wall time.
//
// # Non-obvious
//
// Behaviour that was observed on Apache Kafka 4.4.0 and is kept:
//
//   - Records: offsets as OffsetCommitValue 4 with the topic's id, also for a
//     commit by name; version 1 without the id when the commit has a retention
//     of its own (OffsetCommit 2 to 4); groups as GroupMetadataValue 3. A group
//     is written once when it is made by a join (generation 0, no members). A
//     group that becomes empty keeps its protocol type and gets a generation.
//   - OffsetCommit answers for unknown topics and partitions (3; 100 for an
//     id) before it looks at the group. To an unknown group with a generation
//     it says ILLEGAL_GENERATION, from version 9 GROUP_ID_NOT_FOUND. Generation
//     -1 commits to an empty group whatever the member id; any offset, also a
//     negative one, is taken. The group id may be empty.
//   - LeaveGroup for an unknown group is an error per member from version 3,
//     on top before. Heartbeat, SyncGroup and a JoinGroup with a member id say
//     UNKNOWN_MEMBER_ID.
//   - SyncGroup from version 5 wants protocol type and name before anything
//     else, else INCONSISTENT_GROUP_PROTOCOL.
//   - DescribeGroups of an unknown group is Dead without an error before
//     version 6. Metadata and protocol are shown of stable groups only.
//   - A static leader that comes back at JoinGroup 8 or older is told of its
//     former id as the leader, so that it does not assign; at 9 it is told to
//     skip the assignment.
//   - A member id that was given out (MEMBER_ID_REQUIRED) must not come with
//     an instance id: UNKNOWN_SERVER_ERROR.
//   - During the load a heartbeat is answered without an error.
//
// And where this coordinator differs, on purpose:
//
//   - A refused first join makes no group.
//   - A request that a newer one of the same member replaces is answered
//     (REBALANCE_IN_PROGRESS), as is the SyncGroup of a member that is removed.
//   - When the last member that was waited for is turned away because the
//     group is full, the join phase ends at once.
//   - Ties between protocols go to the leader's preference.
//   - DeleteGroups of more offsets than fit into one batch is done in several
//     instead of failing.
//   - Names that a record cannot hold are refused, and so are first joins beyond
//     a bound of unused member ids.
//   - A failed append reloads all groups of the partition from the log.
//   - The offsets of a topic whose name another topic has taken over are not
//     shown as the new one's.
package group
