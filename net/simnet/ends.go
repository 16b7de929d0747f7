package simnet

// How connections end. The caller of each method holds the fabric's mu.

// shut closes an end as a kernel does: the peer gets what is under way and the
// end of the stream, or a reset if something that had come was not read.
func (c *conn) shut(now instant) {
	c.in.advance(now)
	unread := c.in.ready > 0
	underWay := c.in.length > c.in.ready
	c.leave()
	if c.in.isReset(now) {
		return
	}
	if unread {
		c.out.sendReset(c.out.arrival(now, 0), false)
		return
	}
	c.out.fin, c.out.finSent = c.out.arrival(now, 0), true
	c.out.reader.rouse()
	if underWay {
		c.peer().answerReset(now)
	}
}

// vanish closes an end without notice: the peer waits.
func (c *conn) vanish(now instant) {
	c.leave()
	c.lost = true
	c.silence(now)
}

// leave marks an end as closed and wakes who uses it.
func (c *conn) leave() {
	c.closed = true
	c.in.readerClosed = true
	c.in.dropped += c.in.length - c.in.ready
	c.in.length, c.in.ready, c.in.queue, c.in.first = 0, 0, nil, 0
	c.in.reader.rouse()
	c.in.writer.rouse()
	c.out.writer.rouse()
	if c.pair.over() {
		c.fabric.gone++
	}
}

// silence lets nothing arrive any more, at either end.
func (c *conn) silence(now instant) {
	for _, p := range []*pipe{c.in, c.out} {
		if !p.silent {
			p.advance(now)
			p.silent, p.silentSince = true, now
		}
	}
}

// breakUp resets both ends at once; what is under way is lost.
func (c *conn) breakUp(now instant) {
	c.in.sendReset(now, true)
	c.out.sendReset(now, true)
}

// answerReset lets a reset come back for what was written to nobody.
func (c *conn) answerReset(now instant) {
	unheard := c.out.silent && !c.pair.stale
	if unheard || c.in.rstSent || c.out.link.blocked || c.in.link.blocked {
		return // nobody answers, or the answer is under way, or comes after healing
	}
	if c.pair.stale {
		c.fabric.marks.stale.Hit(c.local + ">" + c.remote)
		c.in.silent = false
		c.in.queue, c.in.first, c.in.length = c.in.queue[:0], 0, c.in.ready
	}
	c.in.sendReset(c.in.link.transit(c.out.link.transit(now, 0), 0), false)
}

// answerLate does so for what was written before its link healed, or before
// the other machine came back.
func (c *conn) answerLate(now instant) {
	if c.out.dropped > 0 && !c.closed {
		c.answerReset(now)
	}
}
