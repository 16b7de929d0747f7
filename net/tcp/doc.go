// Package tcp is transport.Network over real sockets.
//
// WriteVec is writev. SendFile is Linux's sendfile with an explicit offset,
// which leaves the file's own position alone, so that any number of
// connections may send one file at a time; elsewhere, and for files without a
// descriptor, it reads and writes. Sockets are sent without delay (TCP_NODELAY)
// and probed by the operating system's keep-alive.
//
// Not TLS: that wraps a Conn. Under wasip1 there are no sockets, and every
// call fails with errors.ErrUnsupported.
//
// Who owns state: a Conn its socket, which the runtime's poller waits on; no
// goroutine belongs to it.
package tcp
