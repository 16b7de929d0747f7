package coord

// Sizes of Kafka's record batch (magic 2), in bytes.
const (
	batchOverhead  = 61
	recordOverhead = 5 + 1 + 10 + 5 + 5 + 5 + 1 // length, attributes, timestamp and offset delta, key and value length, header count
)

// BatchSizeMax is an upper bound of the bytes of a batch of these records.
func BatchSizeMax(records []Record) int {
	n := batchOverhead
	for i := range records {
		n += recordOverhead + len(records[i].Key) + len(records[i].Value)
	}
	return n
}

// Fits reports whether records surely fit into one batch of at most
// maxMessageBytes. A machine asks before it decides.
func Fits(records []Record, maxMessageBytes int) bool {
	return BatchSizeMax(records) <= maxMessageBytes
}
