package seglog

import (
	"fmt"
	"strconv"
	"strings"
)

// Suffixes of a segment's files.
const (
	LogSuffix       = ".log"
	IndexSuffix     = ".index"
	TimeIndexSuffix = ".timeindex"
	TxnIndexSuffix  = ".txnindex"
	SnapshotSuffix  = ".snapshot"
	// DeletedSuffix follows the others when a file waits for its removal.
	DeletedSuffix = ".deleted"
)

// offsetDigits is the width of an offset in a file name.
const offsetDigits = 20

// FileName is the name of a segment's file: the base offset in 20 digits and a suffix.
func FileName(base int64, suffix string) string {
	return fmt.Sprintf("%0*d%s", offsetDigits, base, suffix)
}

// ParseFileName splits the name of a segment's file; false when it is none.
func ParseFileName(name string) (base int64, suffix string, ok bool) {
	if len(name) <= offsetDigits || name[offsetDigits] != '.' {
		return 0, "", false
	}
	for _, c := range []byte(name[:offsetDigits]) {
		if c < '0' || c > '9' {
			return 0, "", false
		}
	}
	base, err := strconv.ParseInt(name[:offsetDigits], 10, 64)
	if err != nil {
		return 0, "", false
	}
	return base, name[offsetDigits:], true
}

// FolderName is the name of a partition's folder.
func FolderName(topic string, partition int32) string {
	return topic + "-" + strconv.FormatInt(int64(partition), 10)
}

// ParseFolderName splits the name of a partition's folder; false when it is
// none (topic names may hold dashes, the partition follows the last one).
func ParseFolderName(name string) (topic string, partition int32, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 {
		return "", 0, false
	}
	digits := name[i+1:]
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != digits {
		return "", 0, false
	}
	return name[:i], int32(n), true
}
