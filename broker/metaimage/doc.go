// Package metaimage is the cluster's metadata at one offset, as an immutable
// value: what the records of __cluster_metadata up to there amount to. Applying
// records gives a new Image that shares all it can with the one before, so
// that any number of readers keep theirs without a lock, and one topic's
// change copies a path of a tree and not the cluster.
//
// It is NOT a decision maker (controller), not the bytes (metarecord), and not
// the place where a process keeps its current image (metaimage/published).
//
// Invariants:
//   - An Image and all that it returns never change; callers must not change
//     slices that they were given.
//   - Offset is the offset of the last record contained; records are applied
//     in order, without gap.
//   - Records between BeginTransaction and EndTransaction show at the end only,
//     and never if AbortTransaction comes first.
//   - Every iteration is in a fixed order, so a snapshot of an image is the
//     same bytes everywhere.
package metaimage
