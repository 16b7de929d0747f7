// Package group coordinates the consumer groups of one partition of
// __consumer_offsets: the classic protocol's membership (JoinGroup, SyncGroup,
// Heartbeat, LeaveGroup), committed offsets, and their administration.
package group
