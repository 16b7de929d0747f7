// Package simnet is transport.Network for the nodes of a simulation: streams
// as TCP has them, over links that delay, throttle, cut and break them.
//
//	Fabric ── links (from host to host: delay, bandwidth, cut, rates of faults)
//	  └─ Host view (one an incarnation: its fence; implements transport.Network)
//	       └─ connection: two pipes, each
//	            Write ─► ring of bytes, each piece with its time of arrival ─► Read
//
// No goroutine belongs to a connection. A writer puts bytes into the pipe with
// the time at which the link delivers them; a reader sees what has arrived and
// sleeps until the next arrival. The bytes of a pipe that were not read yet
// are bounded by its window, which stands for the buffers of both ends.
//
// What holds whatever is injected: bytes of one direction arrive in order,
// each once, without a hole, and after an end or a reset nothing more comes.
// Connections are delayed each for itself, so they overtake each other. What
// is under way when a link is cut arrives some time after it heals. A reset
// lets the peer read what had arrived before it. SendFile reads the file when
// the link takes the bytes, so a file that is cut or overwritten meanwhile
// shows.
//
// Hosts are names without a colon; 127.0.0.1 and localhost are the host
// itself, reached without faults. Not a model of: packets, addresses, name
// resolution, and timeouts of the kernel's own beside that of connecting.
//
// Who owns state: one mutex for the whole Fabric.
package simnet
