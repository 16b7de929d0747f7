package seglog

// ProducersMax is how many producer ids one partition remembers. Beyond it the
// least recently appending ones without an open transaction are forgotten,
// an eighth at a time.
const ProducersMax = 1 << 16

// producerBatchesMax is how many batches of a producer are remembered for the
// recognition of duplicates: Kafka's NUM_BATCHES_TO_RETAIN, the bound of
// max.in.flight.requests.per.connection for idempotent producers.
const producerBatchesMax = 5

// Verdict says what a batch with a producer id is.
type Verdict uint8

const (
	// Accept: the batch is new and in order.
	Accept Verdict = iota
	// Duplicate: the batch is already in the log.
	Duplicate
	// OutOfOrder: sequence numbers are missing (OUT_OF_ORDER_SEQUENCE_NUMBER).
	OutOfOrder
	// InvalidEpoch: the epoch is older than the newest seen (INVALID_PRODUCER_EPOCH).
	InvalidEpoch
	// InvalidTxn: a batch outside of the producer's open transaction (INVALID_TXN_STATE).
	InvalidTxn
	// CoordinatorFenced: a marker of an older coordinator (TRANSACTION_COORDINATOR_FENCED).
	CoordinatorFenced
)

// Check is the answer to a batch that wants to be appended.
type Check struct {
	Verdict Verdict
	// Of the batch already in the log, for Duplicate.
	BaseOffset, LastOffset, Timestamp int64
	// Expected is the sequence number that would be in order, for OutOfOrder; -1 if the epoch is new.
	Expected int32
}

// AbortedTxn is one entry of a .txnindex file.
type AbortedTxn struct {
	ProducerID       int64
	FirstOffset      int64
	LastOffset       int64 // of the marker
	LastStableOffset int64 // at the time of the marker
}

// ProducerTable is what a partition knows of the producers that wrote to it:
// epochs, the last batches, open transactions. It follows Kafka's rules
// (KIP-98, KIP-360).
type ProducerTable struct{}

// NewProducerTable makes a table of at most max producers, 0 for ProducersMax,
// holding entries.
func NewProducerTable(max int, entries []ProducerEntry) *ProducerTable { return nil }

// Check validates a client's batch with a producer id; it changes nothing.
// Batches without one are always accepted.
func (t *ProducerTable) Check(b *Batch) Check { return Check{} }

// Append takes in a batch of the log, unconditionally: Check went before, or
// the batch comes from the leader or from disk. An end-of-transaction marker
// that aborts gives the entry for the transaction index.
func (t *ProducerTable) Append(b *Batch) (AbortedTxn, bool) { return AbortedTxn{}, false }

// FirstUnstable is the first offset of the oldest transaction that is open, or
// whose marker is not below the high watermark last told; -1 if there is none.
func (t *ProducerTable) FirstUnstable() int64 { return -1 }

// HighWatermark lets go of ended transactions whose markers lie below hw.
func (t *ProducerTable) HighWatermark(hw int64) {}

// Expire forgets producers without an open transaction whose last append is
// expirationMs or more old, and returns how many.
func (t *ProducerTable) Expire(nowWall, expirationMs int64) int { return 0 }

// Truncate forgets the batches at and above offset.
func (t *ProducerTable) Truncate(offset int64) {}

// Entries are the producers, ascending by id, as a snapshot has them.
func (t *ProducerTable) Entries() []ProducerEntry { return nil }

// Len is the number of producers.
func (t *ProducerTable) Len() int { return 0 }

func addSequence(seq, delta int32) int32 { return seq }
