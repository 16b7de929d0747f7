// Package faultfs wraps a vfs.FS with slowness and errors, by rules that a
// test or a benchmark adds and takes away while it is in use.
//
// A rule picks calls by kind, by name and by count, and delays them, holds
// them until released, fails them, or fails them after a part. Its files have
// no descriptor, so that every read passes here.
//
// Not a model of crashes (disk/memfs is), nor of what a failed Sync leaves
// behind: a call that fails by a rule does not reach the file system below, so
// the bytes stay as they were, unsynced. memfs's own hook drops them.
package faultfs
