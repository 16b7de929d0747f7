// Package memnet is transport.Network within one process: what a node's own
// broker and controller talk through, and tests.
//
// A connection is two rings of bytes, one a direction, each with one reader
// and one writer, bounded, grown on demand. No goroutine belongs to it: the
// writer copies in, the reader copies out, each wakes the other only if it
// waits. Close is TCP's close: the peer reads what was written before it, then
// io.EOF; what the peer writes from then on fails with ErrReset.
//
//	Dial side                                  Accept side
//	Write ──► ring (at most ringBytesMax) ──► Read
//	Read  ◄── ring (at most ringBytesMax) ◄── Write
//
// Not a model of a bad network: nothing is delayed, lost or cut. Addresses are
// compared as text, but that localhost is 127.0.0.1 and that a listener
// without a host (or 0.0.0.0, or [::]) takes dials to any host at its port.
package memnet
