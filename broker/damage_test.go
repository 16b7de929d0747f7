package broker_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

const (
	rottenSegment = "data/t-0/00000000000000000000.log"
	rottenRecords = 40
)

// filledTopic is a running node with records in t-0.
func filledTopic(t *testing.T, fsys vfs.FS) (*node, *client) {
	t.Helper()
	n, err := launch(t, fsys, 1, &eventLog{}, rotProperties...)
	if err != nil {
		t.Fatal(err)
	}
	c := n.client()
	c.createTopic("t", 1)
	for i := range rottenRecords {
		if p := c.produce("t", 0, -1, records(t, batch.CodecNone, fmt.Sprintf("%d %s", i, strings.Repeat("x", 300)))); p.ErrorCode != 0 {
			t.Fatal(kafka.ErrorCode(p.ErrorCode))
		}
	}
	return n, c
}

// rotten changes a byte of the batch with record 20.
func rotten(t *testing.T, fsys vfs.FS, at int) {
	t.Helper()
	err := change(fsys, rottenSegment, func(f vfs.File, size int64) error {
		raw := make([]byte, size)
		if _, err := f.ReadAt(raw, 0); err != nil && err != io.EOF {
			return err
		}
		begin := 0
		for range 20 {
			_, b, _, err := batch.Next(raw[begin:])
			if err != nil {
				return err
			}
			begin += len(b)
		}
		_, err := f.WriteAt([]byte{raw[begin+at] ^ 0x55}, int64(begin+at))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Damage that a fetch, or a search for a time, comes upon is answered, reported
// once, and not forgotten: the next start keeps it aside.
func TestDamageFoundByReading(t *testing.T) {
	const magic, value = 16, 100 // bytes within a batch
	fetch := func(c *client) kafka.ErrorCode { return kafka.ErrorCode(c.fetch("t", 0, 20).ErrorCode) }
	search := func(c *client) kafka.ErrorCode { return kafka.ErrorCode(c.listOffset("t", 0, 1).ErrorCode) }
	for name, look := range map[string]struct {
		at   int
		read func(c *client) kafka.ErrorCode
	}{
		"fetch":  {magic, fetch},
		"search": {value, search},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := memfs.New()
			n, c := filledTopic(t, fsys)
			if name == "search" { // what it finds is the batch that will be wrong
				c.deleteRecords("t", 0, 20)
			}
			if code := look.read(c); code != kafka.ErrNone {
				t.Fatalf("of a log that is whole: %s", code)
			}
			n.stop()
			rotten(t, fsys, look.at)
			events := &eventLog{}
			n, err := launch(t, fsys, 2, events, rotProperties...) // after a clean stop nothing is read
			if err != nil {
				t.Fatal(err)
			}
			c = n.client()
			for range 3 {
				if code := look.read(c); code != kafka.ErrCorruptMessage {
					t.Fatalf("answered %s", code)
				}
			}
			if got := strings.Count(events.String(), "damage-found"); got != 1 {
				t.Errorf("reported %d times:\n%s", got, events)
			}
			n.stop()
			events = &eventLog{}
			if n, err = launch(t, fsys, 3, events, rotProperties...); err != nil {
				t.Fatal(err)
			}
			defer n.stop()
			for _, want := range []string{"partitions-without-leader", "log-cut"} {
				if !strings.Contains(events.String(), want) {
					t.Errorf("the next start does not say %s:\n%s", want, events)
				}
			}
		})
	}
}
