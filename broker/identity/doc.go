// Package identity knows who a node is by its log directories: the files
// meta.properties (Kafka's) and moldau.directory (ours), and the rules by
// which a start takes, makes or refuses them. It reads no partition and no
// record.
//
// Invariant: meta.properties of the metadata directory is written last in a
// first start, so that its presence means that the start got as far as to be
// somebody.
package identity
