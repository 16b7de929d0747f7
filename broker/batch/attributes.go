package batch

// Attributes are the flags of a batch.
type Attributes int16

const (
	attrCodecMask     Attributes = 0x07
	attrLogAppendTime Attributes = 0x08
	attrTransactional Attributes = 0x10
	attrControl       Attributes = 0x20
	attrDeleteHorizon Attributes = 0x40
	attrKnown         Attributes = 0x7f
)

// Codec is the compression codec, which may be an unknown one (see Codec.Valid).
func (a Attributes) Codec() Codec { return Codec(a & attrCodecMask) }

// TimestampType says whose time the records carry.
func (a Attributes) TimestampType() TimestampType {
	if a&attrLogAppendTime != 0 {
		return LogAppendTime
	}
	return CreateTime
}

func (a Attributes) withTimestampType(t TimestampType) Attributes {
	if t == LogAppendTime {
		return a | attrLogAppendTime
	}
	return a &^ attrLogAppendTime
}

// TimestampType is message.timestamp.type.
type TimestampType int8

const (
	// CreateTime: each record carries the time that its producer gave it.
	CreateTime TimestampType = iota
	// LogAppendTime: all records have the batch's maximal timestamp, which
	// the leader sets when it appends.
	LogAppendTime
)

// String is Kafka's name in message.timestamp.type.
func (t TimestampType) String() string {
	if t == LogAppendTime {
		return "LogAppendTime"
	}
	return "CreateTime"
}
