package batch

// Limits of a validation.
const (
	// recordErrorsMax bounds the records that one refused batch blames by name.
	recordErrorsMax = 100
)

// Policy is what a topic asks of the batches that clients produce to it.
type Policy struct {
	// ProduceVersion is the version of the Produce request; zstd needs 7.
	ProduceVersion int16
	// MaxMessageBytes is max.message.bytes: the whole batch as it is stored,
	// also after a change of codec.
	MaxMessageBytes int
	// MaxSegmentBytes is segment.bytes: a larger batch fits into no segment. 0: no bound.
	MaxSegmentBytes int
	// MaxRecordBytes is max.decompressed.message.bytes: the largest record of
	// a compressed batch. 0: no bound but Limits.MaxDecompressed.
	MaxRecordBytes int
	// Compacted topics (cleanup.policy holds compact) need a key in every record.
	Compacted bool
	// TimestampType is message.timestamp.type. LogAppendTime overwrites the
	// batch's timestamps with the time of the validation.
	TimestampType TimestampType
	// BeforeMaxMs and AfterMaxMs are message.timestamp.before.max.ms and
	// .after.max.ms: how far a record's CreateTime may lie in the past and in
	// the future.
	BeforeMaxMs, AfterMaxMs int64
	// Recompress: the topic has a compression.type other than producer, which
	// is Target. A batch of another codec is rewritten.
	Recompress bool
	Target     Compression
}

// Info is what Validate found, after its changes to the batch.
type Info struct {
	// Header of the batch to append: of Rewritten when there is one.
	Header Header
	// Rewritten is the batch encoded anew, in memory of its own: the caller
	// owns it and appends it instead. nil: append the bytes that were validated.
	Rewritten []byte
	// MaxTimestampDelta is the offset delta of the first record that carries
	// the batch's maximal timestamp; 0 under LogAppendTime.
	MaxTimestampDelta int32
	// BodySize is the size of the decompressed records in bytes.
	BodySize int
}
