package api

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/clock"
)

const (
	sessionless       = -1 // epoch of a full fetch outside of sessions, and of one that closes its session
	sessionEpochFirst = 0
	// sessionEvictAfter: a session that was not used for so long gives its slot
	// to a new one (min.incremental.fetch.session.eviction.ms).
	sessionEvictAfter = 2 * time.Minute
	// sessionPartitionsMax bounds the partitions of one session.
	sessionPartitionsMax = 200_000
)

// sessionCache holds the incremental fetch sessions (KIP-227) of a broker.
type sessionCache struct {
	slots   int
	clock   clock.Clock
	entropy clock.Entropy

	mu       sync.Mutex
	sessions map[int32]*fetchSession
	evicted  uint64
}

// fetchSession is one client's session. Its order is that in which the answer
// lists partitions; those that had data go to the end, so that none starves.
type fetchSession struct {
	id     int32
	useIDs bool // made by a request that names topic ids (v13+)
	used   clock.Mono

	mu     sync.Mutex // held by the fetch that uses the session
	epoch  int32
	parts  map[sessionKey]*sessionPartition
	order  []*sessionPartition
	closed bool
}

type sessionKey struct {
	topic string // empty when ids are used
	id    kafka.UUID
	index int32
}

// sessionPartition is what the client asked of a partition and what it was told last.
type sessionPartition struct {
	key       sessionKey
	offset    int64
	maxBytes  int32
	epoch     int32
	lastEpoch int32

	told     bool
	hw       int64
	logStart int64
	gone     bool
}

func newSessionCache(slots int, c clock.Clock, e clock.Entropy) *sessionCache {
	return &sessionCache{slots: slots, clock: c, entropy: e, sessions: make(map[int32]*fetchSession)}
}

// fetchContext is one fetch's view of its session.
type fetchContext struct {
	id          int32 // answered; 0 without a session
	session     *fetchSession
	incremental bool
}

func (x *fetchContext) unlock() {
	if x.session != nil {
		x.session.mu.Unlock()
	}
}

// begin finds or makes the request's session and locks it.
func (s *sessionCache) begin(r *kmsg.FetchRequest, img *metaimage.Image) (*fetchContext, kafka.ErrorCode) {
	useIDs := r.Version >= 13
	switch {
	case r.Version < 7:
		return &fetchContext{}, kafka.ErrNone
	case r.SessionEpoch == sessionless || r.SessionEpoch == sessionEpochFirst:
		if r.SessionID != 0 {
			s.remove(r.SessionID)
		}
		if r.SessionEpoch == sessionless {
			return &fetchContext{}, kafka.ErrNone
		}
		return s.create(useIDs), kafka.ErrNone
	}
	s.mu.Lock()
	fs := s.sessions[r.SessionID]
	if fs != nil {
		fs.used = s.clock.Mono()
	}
	s.mu.Unlock()
	if fs == nil {
		return nil, kafka.ErrFetchSessionIDNotFound
	}
	fs.mu.Lock()
	code := kafka.ErrNone
	switch {
	case fs.closed:
		code = kafka.ErrFetchSessionIDNotFound
	case fs.useIDs != useIDs:
		code = kafka.ErrFetchSessionTopicIDError
	case fs.epoch != r.SessionEpoch:
		code = kafka.ErrInvalidFetchSessionEpoch
	}
	if code != kafka.ErrNone {
		fs.mu.Unlock()
		return nil, code
	}
	if fs.epoch++; fs.epoch <= 0 { // after the greatest int32 comes 1
		fs.epoch = 1
	}
	return &fetchContext{id: fs.id, session: fs, incremental: true}, kafka.ErrNone
}

// create makes a session if a slot is free or can be taken; else the fetch
// goes without one.
func (s *sessionCache) create(useIDs bool) *fetchContext {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Mono()
	if len(s.sessions) >= s.slots && !s.evictOldest(now) {
		return &fetchContext{}
	}
	fs := &fetchSession{useIDs: useIDs, used: now, epoch: 1, parts: make(map[sessionKey]*sessionPartition)}
	for fs.id == 0 || s.sessions[fs.id] != nil {
		var b [4]byte
		s.entropy.Read(b[:])
		fs.id = int32(binary.BigEndian.Uint32(b[:]) & 0x7fffffff)
	}
	s.sessions[fs.id] = fs
	fs.mu.Lock()
	return &fetchContext{id: fs.id, session: fs}
}

// evictOldest frees the slot of the session that was not used for longest, if
// that is long enough.
func (s *sessionCache) evictOldest(now clock.Mono) bool {
	var oldest *fetchSession
	for _, fs := range s.sessions { //det:ok the least (used, id) is found whatever the order
		if oldest == nil || fs.used < oldest.used || fs.used == oldest.used && fs.id < oldest.id {
			oldest = fs
		}
	}
	if oldest == nil || now.Sub(oldest.used) < sessionEvictAfter {
		return false
	}
	delete(s.sessions, oldest.id)
	s.evicted++
	return true
}

func (s *sessionCache) remove(id int32) {
	s.mu.Lock()
	fs := s.sessions[id]
	delete(s.sessions, id)
	s.mu.Unlock()
	if fs != nil {
		fs.mu.Lock()
		fs.closed = true
		fs.mu.Unlock()
	}
}

// len is the number of sessions.
func (s *sessionCache) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// partitions are those that this fetch asks for: of the request alone, or of
// the session with the request's changes.
func (x *fetchContext) partitions(r *kmsg.FetchRequest, img *metaimage.Image) []*fetchPartition {
	if x.session == nil {
		return requested(r, img, nil)
	}
	x.session.update(r)
	out := make([]*fetchPartition, 0, len(x.session.order))
	for _, sp := range x.session.order {
		out = append(out, newFetchPartition(sp.key, sp.offset, sp.maxBytes, sp.epoch, sp.lastEpoch, img, sp))
	}
	return out
}

// requested lists the partitions of a request, or gives each to visit.
func requested(r *kmsg.FetchRequest, img *metaimage.Image, visit func(sessionKey, *kmsg.FetchRequestTopicPartition)) []*fetchPartition {
	var out []*fetchPartition
	for i := range r.Topics {
		t := &r.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			key := sessionKey{topic: t.Topic, id: kafka.UUID(t.TopicID), index: p.Partition}
			if visit != nil {
				visit(key, p)
				continue
			}
			out = append(out, newFetchPartition(key, p.FetchOffset, p.PartitionMaxBytes, leaderEpoch(r.Version, p), lastEpoch(r.Version, p), img, nil))
		}
	}
	return out
}

func leaderEpoch(version int16, p *kmsg.FetchRequestTopicPartition) int32 {
	if version < 9 {
		return -1
	}
	return p.CurrentLeaderEpoch
}

func lastEpoch(version int16, p *kmsg.FetchRequestTopicPartition) int32 {
	if version < 12 {
		return -1
	}
	return p.LastFetchedEpoch
}

func newFetchPartition(key sessionKey, offset int64, maxBytes, epoch, last int32, img *metaimage.Image, sp *sessionPartition) *fetchPartition {
	p := &fetchPartition{
		topic: key.topic, id: key.id, index: key.index,
		offset: offset, maxBytes: maxBytes, epoch: epoch, lastEpoch: last, sp: sp,
	}
	var topic *metaimage.Topic
	if key.topic != "" {
		topic = img.TopicByName(key.topic)
	} else {
		topic = img.Topic(key.id)
	}
	switch {
	case topic != nil:
		p.topic, p.id = topic.Name, topic.ID
	case key.topic != "":
		p.code = kafka.ErrUnknownTopicOrPartition
	default:
		p.code = kafka.ErrUnknownTopicID
	}
	return p
}

// update takes the request's additions, changes and removals over.
func (fs *fetchSession) update(r *kmsg.FetchRequest) {
	requested(r, nil, func(key sessionKey, p *kmsg.FetchRequestTopicPartition) {
		sp := fs.parts[key]
		if sp == nil {
			if len(fs.parts) >= sessionPartitionsMax {
				return
			}
			sp = &sessionPartition{key: key}
			fs.parts[key] = sp
			fs.order = append(fs.order, sp)
		}
		sp.offset, sp.maxBytes = p.FetchOffset, p.PartitionMaxBytes
		sp.epoch, sp.lastEpoch = leaderEpoch(r.Version, p), lastEpoch(r.Version, p)
	})
	removed := false
	for i := range r.ForgottenTopics {
		t := &r.ForgottenTopics[i]
		for _, index := range t.Partitions {
			key := sessionKey{topic: t.Topic, id: kafka.UUID(t.TopicID), index: index}
			if sp := fs.parts[key]; sp != nil {
				sp.gone = true
				delete(fs.parts, key)
				removed = true
			}
		}
	}
	if removed {
		kept := fs.order[:0]
		for _, sp := range fs.order {
			if !sp.gone {
				kept = append(kept, sp)
			}
		}
		clear(fs.order[len(kept):])
		fs.order = kept
	}
}

// changed are the partitions that the answer lists: all of a full fetch; of an
// incremental one those with records, an error, or other offsets than the
// client was told last.
func (x *fetchContext) changed(parts []*fetchPartition) []*fetchPartition {
	if x.session == nil {
		return parts
	}
	out := parts[:0:0]
	moved := false
	for _, p := range parts {
		if p.sp.news(p) || !x.incremental {
			out = append(out, p)
		}
		moved = moved || p.extent != nil
	}
	if moved && x.incremental {
		x.session.rotate(parts)
	}
	return out
}

// news says whether p differs from what the client knows, and notes it as told.
func (sp *sessionPartition) news(p *fetchPartition) bool {
	if p.code != kafka.ErrNone {
		sp.told = false // an error is repeated until it is gone
		return true
	}
	same := sp.told && sp.hw == p.answer.HighWatermark && sp.logStart == p.answer.LogStart
	sp.told, sp.hw, sp.logStart = true, p.answer.HighWatermark, p.answer.LogStart
	return !same || p.extent != nil || p.answer.Diverging.Epoch >= 0
}

// rotate moves the partitions with data behind the others.
func (fs *fetchSession) rotate(parts []*fetchPartition) {
	order := fs.order[:0]
	for _, p := range parts {
		if p.extent == nil {
			order = append(order, p.sp)
		}
	}
	for _, p := range parts {
		if p.extent != nil {
			order = append(order, p.sp)
		}
	}
	fs.order = order
}
