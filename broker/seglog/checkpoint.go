package seglog

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Kafka's checkpoint files are text: the version 0, the number of entries, one
// entry a line. Topic names hold no spaces.
//
//	0                          0
//	2                          1
//	orders 0 17                4 1200
//	orders 1 3
//	(offset checkpoint)        (leader epochs: epoch, start offset)

// The checkpoint files of a log directory, and of a partition folder.
const (
	RecoveryPointFile  = "recovery-point-offset-checkpoint"
	HighWatermarkFile  = "replication-offset-checkpoint"
	LogStartFile       = "log-start-offset-checkpoint"
	CleanerFile        = "cleaner-offset-checkpoint"
	LeaderEpochFile    = "leader-epoch-checkpoint"
	checkpointLineMax  = 1 << 10 // bytes of one line; a topic name has at most 249
	checkpointEntryMin = len("0 0\n")
)

// OffsetEntry is a line of an offset checkpoint.
type OffsetEntry struct {
	Topic     string
	Partition int32
	Offset    int64
}

// EncodeOffsets encodes an offset checkpoint in the order given.
func EncodeOffsets(entries []OffsetEntry) []byte {
	b := checkpointHead(len(entries), 40)
	for i := range entries {
		e := &entries[i]
		b = append(append(b, e.Topic...), ' ')
		b = append(strconv.AppendInt(b, int64(e.Partition), 10), ' ')
		b = append(strconv.AppendInt(b, e.Offset, 10), '\n')
	}
	return b
}

// ParseOffsets decodes an offset checkpoint.
func ParseOffsets(b []byte) ([]OffsetEntry, error) {
	rows, count, err := checkpointRows(b)
	if err != nil {
		return nil, fmt.Errorf("offset checkpoint: %w", err)
	}
	entries := make([]OffsetEntry, 0, count)
	type key struct {
		topic     string
		partition int32
	}
	seen := make(map[key]struct{}, count)
	for i := range count {
		f, rest, err := row(rows, 3)
		if err != nil {
			return nil, fmt.Errorf("offset checkpoint: entry %d: %w", i, err)
		}
		partition, errP := strconv.ParseInt(f[1], 10, 32)
		offset, errO := strconv.ParseInt(f[2], 10, 64)
		k := key{f[0], int32(partition)}
		_, dup := seen[k]
		if errP != nil || errO != nil || f[0] == "" || partition < 0 || offset < 0 || dup {
			return nil, fmt.Errorf("offset checkpoint: entry %d is %.100q", i, strings.Join(f[:], " "))
		}
		seen[k] = struct{}{}
		entries = append(entries, OffsetEntry{Topic: f[0], Partition: int32(partition), Offset: offset})
		rows = rest
	}
	if len(rows) != 0 {
		return nil, fmt.Errorf("offset checkpoint: %d bytes after the last of %d entries", len(rows), count)
	}
	return entries, nil
}

// EncodeEpochs encodes a leader-epoch checkpoint.
func EncodeEpochs(entries []EpochStart) []byte {
	b := checkpointHead(len(entries), 16)
	for _, e := range entries {
		b = append(strconv.AppendInt(b, int64(e.Epoch), 10), ' ')
		b = append(strconv.AppendInt(b, e.Offset, 10), '\n')
	}
	return b
}

// ParseEpochs decodes a leader-epoch checkpoint: epochs and offsets ascend.
func ParseEpochs(b []byte) ([]EpochStart, error) {
	rows, count, err := checkpointRows(b)
	if err != nil {
		return nil, fmt.Errorf("leader epoch checkpoint: %w", err)
	}
	entries := make([]EpochStart, 0, count)
	last := EpochStart{Epoch: -1, Offset: -1}
	for i := range count {
		f, rest, err := row(rows, 2)
		if err != nil {
			return nil, fmt.Errorf("leader epoch checkpoint: entry %d: %w", i, err)
		}
		epoch, errE := strconv.ParseInt(f[0], 10, 32)
		offset, errO := strconv.ParseInt(f[1], 10, 64)
		e := EpochStart{Epoch: int32(epoch), Offset: offset}
		if errE != nil || errO != nil || e.Epoch <= last.Epoch || e.Offset <= last.Offset {
			return nil, fmt.Errorf("leader epoch checkpoint: entry %d is %.100q after epoch %d at %d", i, f[0]+" "+f[1], last.Epoch, last.Offset)
		}
		entries, last, rows = append(entries, e), e, rest
	}
	if len(rows) != 0 {
		return nil, fmt.Errorf("leader epoch checkpoint: %d bytes after the last of %d entries", len(rows), count)
	}
	return entries, nil
}

func checkpointHead(count, width int) []byte {
	b := make([]byte, 0, 16+count*width)
	b = append(b, "0\n"...)
	return append(strconv.AppendInt(b, int64(count), 10), '\n')
}

// checkpointRows reads version and count; the count is checked against the
// bytes that follow before anything is allocated for it.
func checkpointRows(b []byte) (rows []byte, count int, err error) {
	version, rest, err := line(b)
	if err != nil {
		return nil, 0, err
	}
	if version != "0" {
		return nil, 0, fmt.Errorf("version %.20q, known is 0", version)
	}
	n, rest, err := line(rest)
	if err != nil {
		return nil, 0, err
	}
	count, err = strconv.Atoi(n)
	if err != nil || count < 0 || count > (len(rest)+1)/checkpointEntryMin {
		return nil, 0, fmt.Errorf("%.20q entries announced in %d bytes", n, len(rest))
	}
	return rest, count, nil
}

// row takes one line of exactly n fields.
func row(b []byte, n int) (fields [3]string, rest []byte, err error) {
	text, rest, err := line(b)
	if err != nil {
		return fields, nil, err
	}
	i := 0
	for field := range strings.SplitSeq(text, " ") {
		if i == n {
			return fields, nil, fmt.Errorf("%.100q has more than %d fields", text, n)
		}
		fields[i] = field
		i++
	}
	if i < n {
		return fields, nil, fmt.Errorf("%.100q has %d fields, want %d", text, i, n)
	}
	return fields, rest, nil
}

// line takes one line; the last one may lack its newline.
func line(b []byte) (text string, rest []byte, err error) {
	if len(b) == 0 {
		return "", nil, fmt.Errorf("ends too early")
	}
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		i, rest = len(b), nil
	} else {
		rest = b[i+1:]
	}
	if i > checkpointLineMax {
		return "", nil, fmt.Errorf("a line of %d bytes, at most %d are known", i, checkpointLineMax)
	}
	return strings.TrimSuffix(string(b[:i]), "\r"), rest, nil
}
