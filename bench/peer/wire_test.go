package peer

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// serve answers every request on one connection with the body that answer makes
// of its key and id.
func serve(t *testing.T, answer func(key int16, id int32) []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			for {
				var size [4]byte
				if _, err := io.ReadFull(conn, size[:]); err != nil {
					break
				}
				frame := make([]byte, binary.BigEndian.Uint32(size[:]))
				if _, err := io.ReadFull(conn, frame); err != nil {
					break
				}
				body := answer(int16(binary.BigEndian.Uint16(frame)), int32(binary.BigEndian.Uint32(frame[4:])))
				_, _ = conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
			}
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

func head(id int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(id)) }

func dial(t *testing.T, addr string) *Wire {
	t.Helper()
	w, err := Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// TestFirstAnswers: an answer without a broker, or with a partition that is not
// served, is none yet.
func TestFirstAnswers(t *testing.T) {
	brokers, failing := 0, int16(6)
	w := dial(t, serve(t, func(key int16, id int32) []byte {
		if key == 3 {
			m := kmsg.NewPtrMetadataResponse()
			m.Version, m.Brokers = metadataVersion, make([]kmsg.MetadataResponseBroker, brokers)
			return m.AppendTo(head(id))
		}
		l := kmsg.NewPtrListOffsetsResponse()
		l.Version = listOffsetsVersion
		l.Topics = []kmsg.ListOffsetsResponseTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsResponseTopicPartition{
			{Partition: 1, Offset: 7}, {Partition: 0, Offset: 5, ErrorCode: failing},
		}}}
		return l.AppendTo(head(id))
	}))
	if _, err := w.Metadata(false); err == nil {
		t.Error("an answer without brokers counts")
	}
	if _, err := w.EndOffsets("t", 2); err == nil {
		t.Error("a partition that is not served counts")
	}
	brokers, failing = 1, 0
	if _, err := w.Metadata(true); err != nil {
		t.Error(err)
	}
	if ends, err := w.EndOffsets("t", 2); err != nil || !slices.Equal(ends, []int64{5, 7}) {
		t.Errorf("%v, %v", ends, err)
	}
	if _, err := w.EndOffsets("t", 3); err == nil {
		t.Error("a partition that is missing counts")
	}
}

// TestProduce: partitions that refuse their record, or that the answer leaves
// out, are left.
func TestProduce(t *testing.T) {
	w := dial(t, serve(t, func(_ int16, id int32) []byte {
		p := kmsg.NewPtrProduceResponse()
		p.Version = produceVersion
		p.Topics = []kmsg.ProduceResponseTopic{{Topic: "t", Partitions: []kmsg.ProduceResponseTopicPartition{
			{Partition: 0}, {Partition: 1, ErrorCode: 5},
		}}}
		return p.AppendTo(head(id))
	}))
	if left, err := w.Produce("t", []int32{0, 1, 2}); err != nil || !slices.Equal(left, []int32{1, 2}) {
		t.Errorf("%v, %v", left, err)
	}
}

func TestWrongAnswers(t *testing.T) {
	for name, answer := range map[string]func(int32) []byte{
		"another request's": func(id int32) []byte { return head(id + 1) },
		"cut off":           func(id int32) []byte { return append(head(id), 0, 0) },
		"too short":         func(int32) []byte { return []byte{1} },
	} {
		w := dial(t, serve(t, func(_ int16, id int32) []byte { return answer(id) }))
		if _, err := w.Metadata(false); err == nil {
			t.Errorf("%s answer is accepted", name)
		}
	}
}

func TestFreeAddrsDiffer(t *testing.T) {
	addrs, err := FreeAddrs(5)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(addrs)
	if len(slices.Compact(addrs)) != 5 {
		t.Errorf("%v", addrs)
	}
}
