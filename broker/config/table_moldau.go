package config

// moldauEntries are the settings that Kafka does not have.
func moldauEntries() []Entry {
	return []Entry{
		{Name: "moldau.durability", Type: String, Scope: ScopeTopic, Default: value("sync"), Valid: oneOf{"sync", "os"}, Importance: High,
			Synonyms: []Synonym{{"moldau.durability", 1}},
			Doc:      "What an acknowledgement means: sync, on stable storage; os, in the system's page cache as in Kafka. Fixed at creation."},
		{Name: "moldau.durability", Type: String, Scope: ScopeBroker, Default: value("sync"), Valid: oneOf{"sync", "os"}, Importance: High,
			Doc: "The moldau.durability of topics that are created without one."},
		{Name: "moldau.broker.disconnect.grace.ms", Type: Int, Scope: ScopeBroker, Default: value("100"), Valid: between{0, 60_000}, Importance: Low,
			Doc: "Silence after a broken connection, after which the controller fences a broker earlier than its session ends."},
		{Name: "moldau.disk.stall.ms", Type: Int, Scope: ScopeBroker, Default: value("1000"), Valid: between{10, 600_000}, Importance: Medium,
			Doc: "How long a call to a disk may hang before its data directory, or the metadata leader's office, is given up."},
		{Name: "moldau.http.listen", Type: String, Scope: ScopeBroker, Default: value("127.0.0.1:9644"), Importance: Medium,
			Doc: "Address of /metrics, /healthz, /readyz and /debug/pprof; empty opens none."},
		{Name: "moldau.log.format", Type: String, Scope: ScopeBroker, Default: value("text"), Valid: oneOf{"text", "json"}, Importance: Low,
			Doc: "Form of the log on stderr."},
		{Name: "moldau.log.level", Type: String, Scope: ScopeBroker, Default: value("info"), Valid: oneOfFold{"debug", "info", "warn", "error"}, Importance: Low,
			Doc: "Least level of lines in the log."},
		{Name: "moldau.pyroscope.url", Type: String, Scope: ScopeBroker, Importance: Low,
			Doc: "Pyroscope server to which profiles are pushed; unset pushes none."},
		{Name: "moldau.raft.heartbeat.ms", Type: Int, Scope: ScopeBroker, Default: value("150"), Valid: between{5, 60_000}, Importance: Low,
			Doc: "Silence of the metadata leader after which one controller of several stands for election."},
		{Name: "moldau.raft.lease.ms", Type: Int, Scope: ScopeBroker, Default: value("150"), Valid: between{5, 60_000}, Importance: Low,
			Doc: "Time without a majority after which the metadata leader steps down; at most moldau.raft.heartbeat.ms."},
		{Name: "moldau.request.memory.bytes", Type: Long, Scope: ScopeBroker, Default: value("117440512"), Valid: atLeast{4 << 20}, Importance: Medium,
			Doc: "Memory of all requests that are arriving or being worked on; at least socket.request.max.bytes is used."},
		{Name: "moldau.shards", Type: Int, Scope: ScopeBroker, Default: value("0"), Valid: between{0, 1024}, Importance: Low,
			Doc: "Loops that own the partitions; 0 is one for each processor."},
	}
}

// extraEntries are settings that Kafka reads although its own table of broker
// settings does not list them.
func extraEntries() []Entry {
	return []Entry{
		{Name: "allow.everyone.if.no.acl.found", Type: Boolean, Scope: ScopeBroker, Default: value("false"), Importance: Low, Support: Refused, DefaultAsks: true, Open: []string{"true"},
			Doc: "Whether the authorizer allows what no ACL speaks of."},
		{Name: "super.users", Type: String, Scope: ScopeBroker, Default: value(""), Importance: Low, Support: Refused,
			Doc: "Users to whom the authorizer allows everything."},
		{Name: "follower.replication.throttled.rate", Type: Long, Scope: ScopeBroker, Default: value(maxLongText), Valid: atLeast{0}, Dynamic: Cluster, Importance: Medium, Support: Ignored, Why: whyQuotas,
			Doc: "Most bytes in a second into the throttled replicas."},
		{Name: "leader.replication.throttled.rate", Type: Long, Scope: ScopeBroker, Default: value(maxLongText), Valid: atLeast{0}, Dynamic: Cluster, Importance: Medium, Support: Ignored, Why: whyQuotas,
			Doc: "Most bytes in a second out of the throttled replicas."},
		{Name: "replica.alter.log.dirs.io.max.bytes.per.second", Type: Long, Scope: ScopeBroker, Default: value(maxLongText), Valid: atLeast{0}, Dynamic: Cluster, Importance: Medium, Support: Ignored, Why: whyMoves,
			Doc: "Most bytes in a second moved between log directories."},
	}
}
