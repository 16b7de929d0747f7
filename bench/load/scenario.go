package load

import "fmt"

// Kind of work.
type Kind string

// The kinds.
const (
	Produce Kind = "produce" // as fast as the answers come
	Lone    Kind = "lone"    // one record in flight, from produce to its arrival at a tailing consumer
	Paced   Kind = "paced"   // so many records a second, each from when it is due to its arrival at a tailing consumer
	Consume Kind = "consume" // read back from the page cache
)

// Scenario is one load.
type Scenario struct {
	Name        string
	Kind        Kind
	RecordBytes int // value of a record
	BatchBytes  int // most bytes of a record batch
	Partitions  int
	Records     int64
	PerSecond   int // Paced: records due in a second
	// What the ratios, ours to Kafka's, have to be; 0 for no wish. CPUMax is for
	// the servers' CPU, MBMin for the throughput at os and SyncMBMin at sync,
	// P99Max for the end-to-end latency, RSSMax for the memory.
	CPUMax, MBMin, SyncMBMin, P99Max, RSSMax float64
}

// Scenarios with their full amounts.
func Scenarios() []Scenario {
	return []Scenario{
		{Name: "1k-large", Kind: Produce, RecordBytes: 1 << 10, BatchBytes: 1 << 20, Partitions: 6, Records: 2_000_000, CPUMax: 0.6, MBMin: 1},
		{Name: "1k-16k", Kind: Produce, RecordBytes: 1 << 10, BatchBytes: 16 << 10, Partitions: 6, Records: 1_000_000, CPUMax: 0.6, MBMin: 1},
		{Name: "100b-large", Kind: Produce, RecordBytes: 100, BatchBytes: 1 << 20, Partitions: 6, Records: 10_000_000, CPUMax: 0.6, MBMin: 1},
		{Name: "100b-16k", Kind: Produce, RecordBytes: 100, BatchBytes: 16 << 10, Partitions: 6, Records: 5_000_000, CPUMax: 0.6, MBMin: 1},
		{Name: "lone", Kind: Lone, RecordBytes: 1 << 10, BatchBytes: 16 << 10, Partitions: 1, Records: 20_000, CPUMax: 0.6},
		{Name: "consume", Kind: Consume, RecordBytes: 1 << 10, BatchBytes: 1 << 20, Partitions: 6, Records: 3_000_000, CPUMax: 0.9, MBMin: 1},
	}
}

// ClusterScenarios are the loads of three nodes, with their full amounts.
func ClusterScenarios() []Scenario {
	out := []Scenario{
		{Name: "1k-large", Kind: Produce, RecordBytes: 1 << 10, BatchBytes: 1 << 20, Partitions: 6, Records: 1_000_000},
		{Name: "1k-16k", Kind: Produce, RecordBytes: 1 << 10, BatchBytes: 16 << 10, Partitions: 6, Records: 500_000},
		{Name: "100b-large", Kind: Produce, RecordBytes: 100, BatchBytes: 1 << 20, Partitions: 6, Records: 5_000_000},
		{Name: "100b-16k", Kind: Produce, RecordBytes: 100, BatchBytes: 16 << 10, Partitions: 6, Records: 2_500_000},
		{Name: "lone", Kind: Lone, RecordBytes: 1 << 10, BatchBytes: 16 << 10, Partitions: 1, Records: 10_000},
		{Name: "paced", Kind: Paced, RecordBytes: 1 << 10, BatchBytes: 16 << 10, Partitions: 6, Records: 30_000, PerSecond: 1000},
		{Name: "consume", Kind: Consume, RecordBytes: 1 << 10, BatchBytes: 1 << 20, Partitions: 6, Records: 1_000_000},
	}
	for i := range out {
		s := &out[i]
		s.CPUMax, s.RSSMax = 0.6, 0.1
		switch s.Kind {
		case Produce:
			s.MBMin, s.SyncMBMin = 1.2, 0.9
		case Consume:
			s.CPUMax, s.MBMin = 0.9, 1
		case Lone, Paced:
			s.P99Max = 0.8
		}
	}
	return out
}

// Scale changes the amount; at least one record a partition stays.
func (s Scenario) Scale(factor float64) Scenario {
	s.Records = max(int64(float64(s.Records)*factor), int64(s.Partitions))
	return s
}

// ValueBytes is what all records' values are long together.
func (s Scenario) ValueBytes() int64 { return s.Records * int64(s.RecordBytes) }

const (
	// batchHeadBytes is a record batch's header (format 2).
	batchHeadBytes = 61
	// recordHeadBytesMax bounds what the format adds to a record without key
	// and headers, of at most 16 KiB, in a batch of at most 1 MiB: length 3, attributes 1,
	// timestamp delta 3, offset delta 3, key length 1, value length 3, headers 1.
	recordHeadBytesMax = 15
	// recordHeadBytesMin: every number in one byte.
	recordHeadBytesMin = 7
)

// recordsPerBatch is how many fit in a batch for certain.
func (s Scenario) recordsPerBatch() int {
	return max(1, (s.BatchBytes-batchHeadBytes)/(s.RecordBytes+recordHeadBytesMax))
}

// checkSize fails unless the bytes in the logs fit the number of records:
// every value once, and no more around them than the format adds.
func (s Scenario) checkSize(disk Disk) error {
	if low := s.Records * int64(s.RecordBytes+recordHeadBytesMin); disk.Bytes < low {
		return fmt.Errorf("the logs of %d records have %d bytes, less than %d", s.Records, disk.Bytes, low)
	}
	if high := s.Records*int64(s.RecordBytes+recordHeadBytesMax) + disk.Batches*batchHeadBytes; disk.Bytes > high {
		return fmt.Errorf("the logs of %d records have %d bytes, more than %d", s.Records, disk.Bytes, high)
	}
	if disk.Records != s.Records {
		return fmt.Errorf("the batches in the logs have %d records, not %d", disk.Records, s.Records)
	}
	return nil
}
