package history

import "slices"

// definiteCodes are, per kind, the error codes after which nothing happened and
// nothing will: the request was refused before it could change anything. Every
// other code is a maybe, those that come from waiting for replicas, from lost
// leadership or from a failed disk above all: the batch may be in the log.
//
// Not in the table on purpose:
//
//	produce        3, 100  the topic may go while a batch waits for its replicas
//	produce        6, 7, 20, 56, 19, 5, 9  leadership, time, replicas, disk
//	produce        46      DUPLICATE_SEQUENCE_NUMBER: another attempt was appended
//	commit-offset  15, 16  what a failed append to the group's log is turned into
//	create-topic   36      a broker that lost the controller's answer asked again, and is
//	delete-topic   3, 100  answered by what its first try did, as Kafka's brokers are
//	create-topic   41      a controller that lost its lead may have written it
//	all            -1      an unexpected error can come from anywhere
var definiteCodes = map[Kind][]int16{
	KindProduce: {
		2,  // CORRUPT_MESSAGE: the batch was checked first
		10, // MESSAGE_TOO_LARGE
		17, // INVALID_TOPIC_EXCEPTION
		18, // RECORD_LIST_TOO_LARGE
		21, // INVALID_REQUIRED_ACKS
		29, // TOPIC_AUTHORIZATION_FAILED
		31, // CLUSTER_AUTHORIZATION_FAILED
		32, // INVALID_TIMESTAMP
		35, // UNSUPPORTED_VERSION
		42, // INVALID_REQUEST
		43, // UNSUPPORTED_FOR_MESSAGE_FORMAT
		44, // POLICY_VIOLATION
		45, // OUT_OF_ORDER_SEQUENCE_NUMBER
		47, // INVALID_PRODUCER_EPOCH
		48, // INVALID_TXN_STATE
		49, // INVALID_PRODUCER_ID_MAPPING
		53, // TRANSACTIONAL_ID_AUTHORIZATION_FAILED
		59, // UNKNOWN_PRODUCER_ID
		74, // FENCED_LEADER_EPOCH
		76, // UNSUPPORTED_COMPRESSION_TYPE
		87, // INVALID_RECORD
		90, // PRODUCER_FENCED
	},
	KindCommitOffset: {
		12,  // OFFSET_METADATA_TOO_LARGE
		14,  // COORDINATOR_LOAD_IN_PROGRESS
		22,  // ILLEGAL_GENERATION
		24,  // INVALID_GROUP_ID
		25,  // UNKNOWN_MEMBER_ID
		27,  // REBALANCE_IN_PROGRESS
		28,  // INVALID_COMMIT_OFFSET_SIZE
		29,  // TOPIC_AUTHORIZATION_FAILED
		30,  // GROUP_AUTHORIZATION_FAILED
		35,  // UNSUPPORTED_VERSION
		42,  // INVALID_REQUEST
		69,  // GROUP_ID_NOT_FOUND
		82,  // FENCED_INSTANCE_ID
		110, // FENCED_MEMBER_EPOCH
		113, // STALE_MEMBER_EPOCH
	},
	KindCreateTopic: {17, 29, 31, 35, 37, 38, 39, 40, 42, 44, 89},
	KindDeleteTopic: {17, 29, 31, 35, 42, 44, 73, 89},
	KindAlterConfig: {3, 17, 29, 31, 35, 40, 42, 44, 89},
	KindInitProducerID: {
		14, 24, 31, 35, 42, // refused before an id was taken
		47, 50, 51, 53, 90, // fenced, or a timeout that is not allowed
	},
	KindDeleteRecords: {1, 17, 29, 35, 42, 44},
	KindAssign:        {14, 22, 23, 24, 25, 26, 30, 35, 42, 79, 81, 82, 110, 111, 112},
	KindLeaveGroup:    {14, 24, 25, 30, 35, 42, 82},
	KindDeleteGroup:   {14, 24, 30, 35, 42, 68, 69},
	KindEndTxn:        {14, 35, 42, 47, 48, 49, 53, 90},
}

// readKinds change nothing: whatever the error, nothing happened.
var readKinds = []Kind{
	KindFetch, KindPoll, KindScan, KindListOffsets, KindEpochEnd, KindSessionFetch,
	KindFetchOffset, KindDescribeConfig, KindMetadata, KindSeek,
}

// Classify says what an answer's error code means for the effect of one
// attempt. A connection that broke before the answer is OutcomeMaybe, or
// OutcomeFailed if not a byte of the request was sent; no code says so.
func Classify(kind Kind, code int16) Outcome {
	switch {
	case code == 0:
		return OutcomeOK
	case slices.Contains(readKinds, kind) || slices.Contains(definiteCodes[kind], code):
		return OutcomeFailed
	default:
		return OutcomeMaybe
	}
}
