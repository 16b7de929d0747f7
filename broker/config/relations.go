package config

import (
	"slices"
	"strings"
)

// ordered are settings of which the first must not be above the second, as
// Kafka demands; those of features that are not served yet are checked too, so
// that a file which Kafka refuses does not start a node here.
func ordered() [][2]string {
	pairs := [][2]string{
		{"replica.fetch.wait.max.ms", "replica.lag.time.max.ms"},
		{"replica.fetch.wait.max.ms", "replica.socket.timeout.ms"},
		{"group.min.session.timeout.ms", "group.max.session.timeout.ms"},
		{"group.share.max.size", "group.share.max.share.sessions"},
		{"group.share.min.record.lock.duration.ms", "group.share.record.lock.duration.ms"},
		{"group.share.record.lock.duration.ms", "group.share.max.record.lock.duration.ms"},
		{"group.streams.num.standby.replicas", "group.streams.max.standby.replicas"},
		{"group.streams.num.warmup.replicas", "group.streams.max.warmup.replicas"},
		{"group.streams.min.task.offset.interval.ms", "group.streams.task.offset.interval.ms"},
	}
	for _, kind := range []string{"group.consumer.", "group.share.", "group.streams."} {
		for _, what := range []string{"session.timeout.ms", "heartbeat.interval.ms", "assignment.interval.ms"} {
			pairs = append(pairs,
				[2]string{kind + "min." + what, kind + what}, [2]string{kind + what, kind + "max." + what},
				[2]string{kind + "min." + what, kind + "max." + what})
		}
	}
	return pairs
}

// relations checks settings that are valid each, but not together.
func (l *loader) relations(b *Broker) {
	layers := b.Layers()
	num := func(name string) int64 { return layers.effective(table.byBroker[name]).Int }
	list := func(name string) []string { return layers.effective(table.byBroker[name]).List }
	for _, pair := range ordered() {
		if low, high := num(pair[0]), num(pair[1]); low > high {
			l.fail("%s %d is above %s %d", pair[0], low, pair[1], high)
		}
	}
	if n := num("replica.socket.timeout.ms"); n < 1 {
		l.fail("replica.socket.timeout.ms %d: want at least 1", n)
	}
	l.own(b)
	l.logTimes(num)
	l.lists(b, list)
	if idle, delay := num("connections.max.idle.ms"), num("connection.failed.authentication.delay.ms"); idle >= 0 && idle <= delay {
		l.fail("connections.max.idle.ms %d must be above connection.failed.authentication.delay.ms %d", idle, delay)
	}
	for _, name := range []string{"offsets.topic.compression.codec", "share.coordinator.state.topic.compression.codec"} {
		if n := num(name); n < int64(CompressionNone) || n > int64(CompressionZstd) {
			l.fail("invalid value \"%d\" for %s: want an int in [0,...,4]", n, name)
		}
	}
	if n := num("queued.max.request.bytes"); n > 0 && n < int64(b.SocketRequestMaxBytes) {
		l.fail("queued.max.request.bytes %d is below socket.request.max.bytes %d", n, b.SocketRequestMaxBytes)
	}
	const cleanerBytesMin = 1 << 20 // for each thread
	if threads, buffer := num("log.cleaner.threads"), num("log.cleaner.dedupe.buffer.size"); threads < 1 || buffer/threads <= cleanerBytesMin {
		l.fail("log.cleaner.dedupe.buffer.size %d must be above 1 MiB for each of log.cleaner.threads %d, of which there must be one", buffer, threads)
	}
	topic := ResolveTopic(layers)
	l.failErr(topic.check())
}

// own checks what Kafka does not have, or leaves unchecked.
func (l *loader) own(b *Broker) {
	if b.HTTPListen != "" {
		if _, _, err := splitHostPort(b.HTTPListen); err != nil {
			l.fail("invalid value for moldau.http.listen: %v", err)
		}
	}
	if b.PyroscopeURL != "" && !strings.HasPrefix(b.PyroscopeURL, "http://") && !strings.HasPrefix(b.PyroscopeURL, "https://") {
		l.fail("invalid value %q for moldau.pyroscope.url: want an http or https address", b.PyroscopeURL)
	}
	if b.BrokerHeartbeat <= 0 || b.BrokerHeartbeat >= b.BrokerSession {
		l.fail("broker.heartbeat.interval.ms %d must be above 0 and below broker.session.timeout.ms %d", b.BrokerHeartbeat.Milliseconds(), b.BrokerSession.Milliseconds())
	}
	if b.RaftLease > b.RaftHeartbeat || b.RaftHeartbeat > b.RaftElection {
		l.fail("want moldau.raft.lease.ms ≤ moldau.raft.heartbeat.ms ≤ controller.quorum.election.timeout.ms, got %d, %d, %d",
			b.RaftLease.Milliseconds(), b.RaftHeartbeat.Milliseconds(), b.RaftElection.Milliseconds())
	}
}

// logTimes checks times of logs that have no default of their own, or a hole
// in their range.
func (l *loader) logTimes(num func(string) int64) {
	for _, name := range []string{"log.retention.ms", "log.retention.minutes", "log.retention.hours"} {
		if l.set(name) && num(name) == 0 {
			l.fail("invalid value \"0\" for %s: want -1 or at least 1", name)
		}
	}
	least := func(name string, bound int64) {
		if n := num(name); l.set(name) && n < bound {
			l.fail("invalid value \"%d\" for %s: want a long in [%d,...]", n, name, bound)
		}
	}
	least("log.roll.ms", 1)
	least("log.roll.jitter.ms", 0)
}

// lists checks lists whose elements are named elsewhere.
func (l *loader) lists(b *Broker, list func(string) []string) {
	if !slices.Contains(list("group.coordinator.rebalance.protocols"), "classic") {
		l.fail("group.coordinator.rebalance.protocols lacks classic, which cannot be switched off")
	}
	for _, kind := range []string{"group.consumer.", "group.share.", "group.streams."} {
		if len(list(kind+"assignors")) == 0 {
			l.fail("invalid value \"\" for %sassignors: want at least one", kind)
		}
	}
	for _, dir := range list(cordonedName) {
		if dir != "*" && !slices.Contains(b.LogDirs, dir) {
			l.fail("cordoned.log.dirs names %s, which log.dirs does not", dir)
		}
	}
	for _, name := range upper(list("early.start.listeners")) {
		if !slices.ContainsFunc(b.Listeners, func(o Listener) bool { return o.Name == name }) {
			l.fail("early.start.listeners names %s, which listeners does not", name)
		}
	}
}
