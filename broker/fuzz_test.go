package broker_test

import (
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/net/transport"
)

const (
	// fuzzAnswerMax is how long an answer may take before it counts as lost.
	fuzzAnswerMax = 4 * time.Second
	// fuzzAllocBytesMax bounds what one small request may allocate in the node.
	fuzzAllocBytesMax = 64 << 20
	// fuzzRequestsMax requests are sent to one node, then it is made anew: what
	// requests create must not slow the hunt down.
	fuzzRequestsMax = 3000
	fuzzBodyMax     = 64 << 10
)

// fuzzTarget is a node that requests are fired at.
type fuzzTarget struct {
	n    *node
	sent int
}

func (f *fuzzTarget) node(t *testing.T) *node {
	if f.n != nil {
		select {
		case <-f.n.ended: // a stranger may send it away by the controller listener
			f.n = nil
		default:
			if f.sent++; f.sent >= fuzzRequestsMax {
				f.stop()
			}
		}
	}
	if f.n == nil {
		f.n = startNode(t, memfs.New(),
			config.Property{Name: "offsets.topic.num.partitions", Value: "1"},
			config.Property{Name: "auto.create.topics.enable", Value: "false"},
			config.Property{Name: "num.partitions", Value: "1"},
		)
		f.n.client().createTopic("t", 1)
		f.sent = 0
	}
	f.n.t = t
	return f.n
}

func (f *fuzzTarget) stop() {
	if f.n != nil {
		f.n.cancel()
		<-f.n.ended
		f.n = nil
	}
}

// FuzzRequest sends arbitrary bodies of every key and version through a
// node's listeners: the node does not panic, allocates in proportion, and
// answers what decodes or closes the connection.
func FuzzRequest(f *testing.F) {
	for key := int16(0); key <= kmsg.MaxKey; key++ {
		req := kmsg.RequestForKey(key)
		if req == nil {
			continue
		}
		for v := int16(0); v <= req.MaxVersion(); v++ {
			for depth := range 2 {
				req := kmsg.RequestForKey(key)
				req.SetVersion(v)
				populate(reflect.ValueOf(req).Elem(), depth)
				req.SetVersion(v)
				f.Add(false, key, v, req.AppendTo(nil))
			}
		}
	}
	f.Add(true, int16(64), int16(0), []byte("\xff\xff\xff\xff\xff\xff\xff\xff\x00")) // 268 million tagged fields
	target := &fuzzTarget{}
	f.Cleanup(target.stop)
	f.Fuzz(func(t *testing.T, controller bool, key, version int16, body []byte) {
		if len(body) > fuzzBodyMax || tooBig(key, version, body) {
			t.Skip()
		}
		n := target.node(t)
		addr := n.broker.Addr()
		if controller {
			addr = controllerAddr
		}
		hurry(key, version, body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		exchange(t, n, addr, requestFrame(key, version, body), !parks(key))
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > fuzzAllocBytesMax {
			t.Errorf("key %d v%d: %d bytes allocated for a body of %d", key, version, got, len(body))
		}
	})
}

// FuzzFrames sends arbitrary bytes as a stream: lengths and headers are wrong
// in every way. The node lives and serves others.
func FuzzFrames(f *testing.F) {
	api := kmsg.NewPtrApiVersionsRequest()
	api.Version, api.ClientSoftwareName, api.ClientSoftwareVersion = 3, "a", "1"
	good := kmsg.NewRequestFormatter(kmsg.FormatterClientID("x")).AppendRequest(nil, api, 1)
	f.Add(good)
	f.Add(append(append([]byte{}, good...), good...))
	f.Add(good[:len(good)-3])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 9})
	f.Add([]byte{5, 0, 0, 0, 0, 0, 0, 9, 1})
	f.Add([]byte{0, 0, 0, 10, 0, 18, 0, 99, 0, 0, 0, 1, 0xff, 0xff})
	target := &fuzzTarget{}
	f.Cleanup(target.stop)
	f.Fuzz(func(t *testing.T, stream []byte) {
		if len(stream) > fuzzBodyMax {
			t.Skip()
		}
		n := target.node(t)
		exchange(t, n, n.broker.Addr(), stream, false)
		n.client().ask(api)
	})
}

// requestFrame is a whole frame with a header that fits the key and version.
func requestFrame(key, version int16, body []byte) []byte {
	frame := binary.BigEndian.AppendUint16(make([]byte, 4), uint16(key))
	frame = binary.BigEndian.AppendUint16(frame, uint16(version))
	frame = append(frame, 0, 0, 0, 7, 0xff, 0xff) // correlation id, no client id
	if req := kmsg.RequestForKey(key); req != nil {
		if req.SetVersion(version); req.IsFlexible() {
			frame = append(frame, 0)
		}
	}
	frame = append(frame, body...)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

// exchange sends bytes on a connection of their own and, if wait is set, takes
// an answer or the end of the stream.
func exchange(t *testing.T, n *node, addr string, frame []byte, wait bool) {
	conn, err := n.net.Dial(addr, time.Second, nil)
	if err != nil {
		return // the node is on its way out
	}
	defer conn.Close()
	if err := conn.SetReadTimeout(fuzzAnswerMax); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetWriteTimeout(fuzzAnswerMax); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(frame); err != nil || !wait {
		return
	}
	var head [8]byte
	if _, err := io.ReadFull(conn, head[:]); errors.Is(err, transport.ErrTimeout) {
		t.Fatalf("neither an answer nor the end of the connection: %x", frame)
	}
}

// parks says that a request may wait for others by design, or has no answer.
func parks(key int16) bool { return key == 0 || key == 11 || key == 14 }

// claimsManyTags says that a body may claim to have millions of tagged fields:
// kmsg, which decodes it here without what the node checks before, would look for all of them.
func claimsManyTags(body []byte) bool {
	run := 0
	for _, b := range body {
		if run++; b < 0x80 {
			run = 0
		}
		if run == 3 { // a fourth byte ends a number of 28 bits
			return true
		}
	}
	return false
}

// tooBig says that a request asks for more topics or partitions than a fuzzed
// node should get, or sends its own broker away.
func tooBig(key, version int16, body []byte) bool {
	req := kmsg.RequestForKey(key)
	if req == nil {
		return false
	}
	const partitionsMax = 16
	req.SetVersion(version)
	switch key {
	case 19, 37, 64:
		if version < 0 || version > req.MaxVersion() {
			return false // it will not get that far
		}
		if req.IsFlexible() && claimsManyTags(body) {
			return true
		}
		if req.ReadFrom(body) != nil {
			return false // it will not get that far
		}
	}
	switch r := req.(type) {
	case *kmsg.CreateTopicsRequest:
		n := int32(0)
		for _, t := range r.Topics {
			if n += 1 + max(t.NumPartitions, 0); n > partitionsMax {
				return true
			}
		}
	case *kmsg.CreatePartitionsRequest:
		for _, t := range r.Topics {
			if t.Count > partitionsMax {
				return true
			}
		}
	case *kmsg.UnregisterBrokerRequest:
		return r.BrokerID == 1
	}
	return false
}

// hurry shortens how long a fetch may wait.
func hurry(key, version int16, body []byte) {
	at := 4
	if version >= 15 {
		at = 0
	}
	if key == 1 && len(body) >= at+4 {
		clear(body[at : at+2])
		body[at+2] = 0
	}
}

// populate fills a message: every array with one element, strings with the
// name of the node's topic; depth 0 leaves arrays empty.
func populate(v reflect.Value, depth int) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case !f.CanSet():
		case f.Kind() == reflect.Pointer && f.Type().Elem().Kind() == reflect.String:
			s := "t"
			f.Set(reflect.ValueOf(&s))
		case f.Kind() == reflect.String:
			f.SetString("t")
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Uint8:
			f.SetBytes(make([]byte, 70))
		case f.Kind() == reflect.Slice && depth > 0:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			if e := f.Index(0); e.Kind() == reflect.Struct {
				populate(e, depth)
			}
		case f.Kind() == reflect.Struct && f.Type().Name() != "Tags":
			populate(f, depth)
		}
	}
}
