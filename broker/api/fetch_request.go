package api

import (
	"fmt"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/server"
)

// fetchRequest is a Fetch as it came. Names refer to the request's frame. A
// connection keeps one and reads one request after the other into it.
type fetchRequest struct {
	version            int16
	maxWaitMs          int32
	minBytes, maxBytes int32
	committed          bool
	sessionID          int32
	sessionEpoch       int32
	replica            int32        // that follows, below 0 for consumers
	replicaEpoch       int64        // broker epoch of replica
	rack               []byte       // of a consumer (KIP-392)
	topics             []fetchTopic // of asks and forgotten
	asks               []fetchAsk
	forgotten          []forgottenPartition
	elements           int
}

// fetchTopic names a topic: by id from version 13 on.
type fetchTopic struct {
	name []byte
	id   kafka.UUID
}

// fetchAsk is one partition asked for; topic is an index of topics.
type fetchAsk struct {
	topic     int32
	index     int32
	epoch     int32 // current leader epoch, -1 below version 9
	lastEpoch int32 // last fetched epoch, -1 below version 12
	maxBytes  int32
	offset    int64
	follows   followerAsk
}

// followerAsk is what a follower adds to a fetchAsk.
type followerAsk struct {
	logStart     int64 // -1 below version 5
	durable      int64 // of our own tagged field, -1 without it
	durableEpoch int32
}

// forgottenPartition leaves a session; topic is an index of topics.
type forgottenPartition struct {
	topic, index int32
}

// isFollower: the request comes from a broker that follows.
func (f *fetchRequest) isFollower() bool { return f.replica >= 0 }

// fetchAsksKept bounds what a connection keeps between its fetches.
const fetchAsksKept = 1024

// readFetch reads a request's body into f. It waits for the gate where the
// request has many elements; f.elements must be given back to it. What follows
// the body is ignored.
func readFetch(req *server.Request, admit *gate, f *fetchRequest) error {
	count := fetchReader{r: newReader(req.Body, req.Flexible), f: f, version: req.Version}
	if len(req.Body) <= otherRequestBytesMax {
		count.read()
	}
	if count.r.Bad() || count.elements > requestElementsMax || len(req.Body) > otherRequestBytesMax {
		return malformed(req, fmt.Errorf("body of %d bytes is malformed or has more than %d elements", len(req.Body), requestElementsMax))
	}
	n, open := admit.enter(count.elements, req.Conn.Closed())
	if !open {
		return errGoneWaiting
	}
	f.topics, f.asks, f.forgotten = f.topics[:0], f.asks[:0], f.forgotten[:0]
	fill := fetchReader{r: newReader(req.Body, req.Flexible), f: f, version: req.Version, fill: true}
	fill.read()
	f.elements = n
	return nil
}

// trim gives up the memory of an unusually large request.
func (f *fetchRequest) trim() {
	if cap(f.asks) > fetchAsksKept || cap(f.topics) > fetchAsksKept || cap(f.forgotten) > fetchAsksKept {
		f.topics, f.asks, f.forgotten = nil, nil, nil
	}
	clear(f.topics)
}

// fetchReader walks a body: the first time to count, the second to fill.
type fetchReader struct {
	r        reader
	f        *fetchRequest
	version  int16
	fill     bool
	elements int
}

func (w *fetchReader) read() {
	f, r := w.f, &w.r
	f.version, f.sessionID, f.sessionEpoch = w.version, 0, sessionless
	f.replica, f.replicaEpoch, f.rack = -1, -1, nil
	if w.version < 15 {
		f.replica = r.Int32()
	}
	f.maxWaitMs, f.minBytes, f.maxBytes = r.Int32(), r.Int32(), r.Int32()
	f.committed = r.Int8() == 1
	if w.version >= 7 {
		f.sessionID, f.sessionEpoch = r.Int32(), r.Int32()
	}
	for range w.count() {
		topic := w.topic()
		for range w.count() {
			w.ask(topic)
		}
		w.noTags()
	}
	if w.version >= 7 {
		for range w.count() {
			topic := w.topic()
			for range w.count() {
				if index := r.Int32(); w.fill {
					f.forgotten = append(f.forgotten, forgottenPartition{topic, index})
				}
			}
			w.noTags()
		}
	}
	if w.version >= 11 {
		f.rack = r.string()
	}
	w.tags(func(tag int, value *kafka.Reader) {
		if tag == fetchTagReplica && w.version >= 15 {
			f.replica, f.replicaEpoch = value.Int32(), value.Int64()
		}
	})
}

// Tagged fields of a Fetch and of its partitions.
const (
	fetchTagReplica = 1 // {id int32, broker epoch int64}, from version 15 on
)

// count reads an array's length; after an error it is 0.
func (w *fetchReader) count() int {
	n := max(w.r.count(1), 0)
	if w.elements += n; w.elements > requestElementsMax {
		w.r.Fail(kafka.ErrShort)
		return 0
	}
	return n
}

// tags reads the tagged fields that end a structure.
func (w *fetchReader) tags(field func(tag int, value *kafka.Reader)) { w.r.taggedFields(field) }

// noTags skips them.
func (w *fetchReader) noTags() { w.r.tags() }

func (w *fetchReader) topic() int32 {
	var t fetchTopic
	if w.version >= 13 {
		t.id = w.r.UUID()
	} else {
		t.name = w.r.string()
	}
	if w.fill {
		w.f.topics = append(w.f.topics, t)
	}
	return int32(len(w.f.topics) - 1)
}

func (w *fetchReader) ask(topic int32) {
	r := &w.r
	a := fetchAsk{topic: topic, index: r.Int32(), epoch: -1, lastEpoch: -1}
	if w.version >= 9 {
		a.epoch = max(r.Int32(), -1) // below 0 is none
	}
	a.offset = r.Int64()
	if w.version >= 12 {
		a.lastEpoch = max(r.Int32(), -1)
	}
	a.follows = followerAsk{logStart: -1, durable: -1, durableEpoch: -1}
	if w.version >= 5 {
		a.follows.logStart = r.Int64()
	}
	a.maxBytes = r.Int32()
	w.tags(func(tag int, value *kafka.Reader) {
		if tag == kafka.TagDurable {
			a.follows.durable, a.follows.durableEpoch = kafka.ReadDurable(value.Take(value.Len()))
		}
	})
	if w.fill {
		w.f.asks = append(w.f.asks, a)
	}
}
