package config

// Why settings have no effect, as the docs say it.
const (
	whyBacklog      = "the operating system's bound holds (net.core.somaxconn)"
	whyCheckpoints  = "written together with what replica.high.watermark.checkpoint.interval.ms times"
	whyClassic      = "the classic protocol alone is served yet"
	whyCompaction   = "logs are not compacted yet"
	whyConsumer     = "the consumer protocol is not served yet"
	whyDirFailure   = "the controller of a node alone hears of a lost directory with the next heartbeat"
	whyFlush        = "sync durability syncs before each acknowledgement; at os files are synced every 5 s"
	whyInternal     = "internal to Kafka's own code"
	whyMetadataLog  = "a snapshot takes the place of the metadata log before it"
	whyMetrics      = "metrics are scraped from moldau.http.listen"
	whyOneNode      = "clusters of several nodes are not served yet"
	whyOneVoter     = "raft among the controllers has times of its own, moldau.raft.heartbeat.ms and moldau.raft.lease.ms"
	whyPreallocate  = "segments grow as they are written; the journal is what is preallocated"
	whyProtection   = "it only tunes or loosens protection that is not there yet"
	whyQueued       = "requests are bounded by moldau.request.memory.bytes"
	whyQuotas       = "there are no quotas yet"
	whyShare        = "share groups are not served yet"
	whyStreams      = "the streams protocol is not served yet"
	whyTelemetry    = "clients' metrics are not taken yet"
	whyThreads      = "the work is spread by moldau.shards and the runtime"
	whyTiers        = "there is no tiered storage yet"
	whyTokens       = "there are no delegation tokens yet"
	whyTransactions = "transactions are not served yet"
	whyWaits        = "what has waited leaves its queue at once"
)
