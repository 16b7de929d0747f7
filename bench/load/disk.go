package load

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Disk is what a topic's segment files hold.
type Disk struct{ Bytes, Batches, Records int64 }

// MeanBatch is the mean length of a batch in bytes.
func (d Disk) MeanBatch() int64 {
	if d.Batches == 0 {
		return 0
	}
	return d.Bytes / d.Batches
}

// ReadDisk walks the batches of all of a topic's segments in a log directory,
// header by header. Neither system may be appending.
func ReadDisk(data, topic string) (Disk, error) {
	var d Disk
	names, err := segments(data, topic)
	if err != nil {
		return d, err
	}
	if len(names) == 0 {
		return d, fmt.Errorf("no segments of %s in %s", topic, data)
	}
	for _, name := range names {
		if err := d.add(name); err != nil {
			return d, err
		}
	}
	return d, nil
}

// segments are the .log files of a topic's partitions; folders of an older
// topic of the name, which wait for their removal, have a longer one.
func segments(data, topic string) ([]string, error) {
	folders, err := os.ReadDir(data)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, folder := range folders {
		number, ok := strings.CutPrefix(folder.Name(), topic+"-")
		if _, err := strconv.ParseUint(number, 10, 31); !ok || err != nil {
			continue
		}
		found, err := filepath.Glob(filepath.Join(data, folder.Name(), "*.log"))
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	return names, nil
}

func (d *Disk) add(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var head [batchHeadBytes]byte
	for pos := int64(0); pos != info.Size(); {
		if pos > info.Size() {
			return fmt.Errorf("%s: the last batch ends at %d, the file at %d", name, pos, info.Size())
		}
		if _, err := f.ReadAt(head[:], pos); err != nil {
			return fmt.Errorf("%s: batch at %d: %w", name, pos, err)
		}
		// base offset 8, length 4 (of what follows) ... records 4, the last of the header.
		size := int64(binary.BigEndian.Uint32(head[8:])) + 12
		if size < batchHeadBytes {
			return fmt.Errorf("%s: batch at %d is %d bytes long", name, pos, size)
		}
		d.Bytes += size
		d.Batches++
		d.Records += int64(binary.BigEndian.Uint32(head[batchHeadBytes-4:]))
		pos += size
	}
	return nil
}
