package seglog

// Config is what a log takes from its topic's configuration. Times are in
// milliseconds, sizes in bytes; -1 means without limit where said.
type Config struct {
	SegmentBytes       int64 // segment.bytes
	SegmentMs          int64 // segment.ms
	SegmentJitterMs    int64 // segment.jitter.ms
	IndexBytes         int   // segment.index.bytes
	IndexIntervalBytes int64 // index.interval.bytes
	RetentionMs        int64 // retention.ms, -1 for ever
	RetentionBytes     int64 // retention.bytes, -1 without limit
	Delete             bool  // cleanup.policy has delete
	Compact            bool  // cleanup.policy has compact

	ProducerExpirationMs int64 // producer.id.expiration.ms
	ProducersMax         int   // producer ids remembered, see ProducersMax

	// JitterSeed spreads the rolls of partitions: the jitter of a segment
	// follows from it and from the segment's base offset, so that a replay
	// rolls where the first run did.
	JitterSeed uint64
}

// DefaultConfig has Kafka's defaults.
func DefaultConfig() Config {
	return Config{
		SegmentBytes:         1 << 30,
		SegmentMs:            7 * 24 * 3600 * 1000,
		IndexBytes:           10 << 20,
		IndexIntervalBytes:   4096,
		RetentionMs:          7 * 24 * 3600 * 1000,
		RetentionBytes:       -1,
		Delete:               true,
		ProducerExpirationMs: 24 * 3600 * 1000,
		ProducersMax:         ProducersMax,
	}
}

// jitter is the time by which the segment at base rolls early: below
// SegmentJitterMs and SegmentMs, 0 without jitter.
func (c *Config) jitter(base int64) int64 {
	bound := min(c.SegmentJitterMs, c.SegmentMs)
	if bound <= 0 {
		return 0
	}
	return int64(mix(c.JitterSeed^uint64(base)) % uint64(bound))
}

// mix spreads every bit of x over the result (the finalizer of splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
