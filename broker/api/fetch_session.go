package api

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

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
	// sessionsBytesMax bounds the memory of all sessions. A full fetch that
	// would pass it gets no session.
	sessionsBytesMax = 64 << 20
	// sessionPartitionBytes is about what a session keeps for a partition.
	sessionPartitionBytes = 192
)

// sessionCache holds the incremental fetch sessions (KIP-227) of a broker.
type sessionCache struct {
	slots   int
	clock   clock.Clock
	entropy clock.Entropy
	bytes   atomic.Int64 // of all sessions

	mu       sync.Mutex
	sessions map[int32]*fetchSession
	evicted  uint64
}

// fetchSession is one client's session. Its order is that in which the answer
// lists partitions; those that had data go to the end, so that none starves.
//
// One fetch at a time uses a session. Who comes while another waits, on a
// connection that may be dead, is not kept waiting: it is told that its epoch
// is wrong, or its session is closed behind the other's back.
type fetchSession struct {
	id     int32
	useIDs bool       // made by a request that names topic ids (v13+)
	used   clock.Mono // guarded by the cache
	busy   atomic.Bool
	closed atomic.Bool

	// The rest belongs to the fetch that holds busy.
	epoch int32
	parts map[sessionKey]*sessionPartition
	order []*sessionPartition
	bytes int64
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
	cache       *sessionCache
	id          int32 // answered; 0 without a session
	session     *fetchSession
	incremental bool
}

// end lets the next fetch use the session.
func (x *fetchContext) end() {
	fs := x.session
	if fs == nil {
		return
	}
	if fs.closed.Load() {
		x.cache.drop(fs)
		return // it is in no table any more, and stays busy
	}
	fs.busy.Store(false)
	if fs.closed.Load() && fs.busy.CompareAndSwap(false, true) {
		x.cache.drop(fs) // closed between the two
	}
}

// begin finds or makes the request's session and takes it.
func (s *sessionCache) begin(r *fetchRequest) (fetchContext, kafka.ErrorCode) {
	useIDs := r.version >= 13
	if r.version < 7 {
		return fetchContext{}, kafka.ErrNone
	}
	if r.sessionEpoch == sessionless || r.sessionEpoch == sessionEpochFirst {
		if r.sessionID != 0 {
			s.remove(r.sessionID)
		}
		if r.sessionEpoch == sessionless {
			return fetchContext{}, kafka.ErrNone
		}
		return s.create(r, useIDs), kafka.ErrNone
	}
	s.mu.Lock()
	fs := s.sessions[r.sessionID]
	s.mu.Unlock()
	switch {
	case fs == nil:
		return fetchContext{}, kafka.ErrFetchSessionIDNotFound
	case !fs.busy.CompareAndSwap(false, true):
		return fetchContext{}, kafka.ErrInvalidFetchSessionEpoch
	}
	x := fetchContext{cache: s, id: fs.id, session: fs, incremental: true}
	switch {
	case fs.epoch != r.sessionEpoch:
		x.end()
		return fetchContext{}, kafka.ErrInvalidFetchSessionEpoch
	case fs.useIDs != useIDs:
		x.end()
		return fetchContext{}, kafka.ErrFetchSessionTopicIDError
	}
	if fs.epoch++; fs.epoch <= 0 { // after the greatest int32 comes 1
		fs.epoch = 1
	}
	now := s.clock.Mono()
	s.mu.Lock()
	fs.used = now
	s.mu.Unlock()
	return x, kafka.ErrNone
}

// create makes a session if a slot is free or can be taken, and memory; else
// the fetch goes without one.
func (s *sessionCache) create(r *fetchRequest, useIDs bool) fetchContext {
	if s.bytes.Load()+int64(len(r.asks))*sessionPartitionBytes > sessionsBytesMax {
		return fetchContext{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Mono()
	if len(s.sessions) >= s.slots && !s.evictOldest(now) {
		return fetchContext{}
	}
	fs := &fetchSession{useIDs: useIDs, used: now, epoch: 1, parts: make(map[sessionKey]*sessionPartition)}
	for fs.id == 0 || s.sessions[fs.id] != nil {
		var b [4]byte
		s.entropy.Read(b[:])
		fs.id = int32(binary.BigEndian.Uint32(b[:]) & 0x7fffffff)
	}
	s.sessions[fs.id] = fs
	fs.busy.Store(true)
	return fetchContext{cache: s, id: fs.id, session: fs}
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
	s.close(oldest)
	s.evicted++
	return true
}

func (s *sessionCache) remove(id int32) {
	s.mu.Lock()
	fs := s.sessions[id]
	delete(s.sessions, id)
	s.mu.Unlock()
	if fs != nil {
		s.close(fs)
	}
}

// close ends a session that is in no table any more; the fetch that uses it,
// if there is one, finishes first.
func (s *sessionCache) close(fs *fetchSession) {
	fs.closed.Store(true)
	if fs.busy.CompareAndSwap(false, true) {
		s.drop(fs)
	}
}

// drop gives up the memory of a session; the caller holds busy, for ever.
func (s *sessionCache) drop(fs *fetchSession) {
	s.bytes.Add(-fs.bytes)
	fs.bytes, fs.parts, fs.order = 0, nil, nil
}

// len is the number of sessions.
func (s *sessionCache) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// partitions appends those that this fetch asks for: of the request alone, or
// of the session with the request's changes.
func (x *fetchContext) partitions(out []fetchPartition, r *fetchRequest, img *metaimage.Image) []fetchPartition {
	if x.session != nil {
		if !x.session.update(x.cache, r) {
			x.cache.remove(x.id)
		}
		for _, sp := range x.session.order {
			p := fetchPartition{
				name: sp.key.topic, id: sp.key.id, index: sp.key.index, offset: sp.offset,
				maxBytes: sp.maxBytes, epoch: sp.epoch, lastEpoch: sp.lastEpoch, sp: sp,
			}
			if x.session.useIDs {
				p.topic = img.Topic(p.id)
			} else {
				p.topic = img.TopicByName(p.name)
			}
			out = append(out, p)
		}
		return out
	}
	last, topic, name := int32(-1), (*metaimage.Topic)(nil), ""
	for i := range r.asks {
		a := &r.asks[i]
		t := &r.topics[a.topic]
		if a.topic != last {
			if last, name = a.topic, ""; r.version >= 13 {
				topic = img.Topic(t.id)
			} else if topic = img.TopicByName(string(t.name)); topic == nil {
				name = string(t.name)
			}
		}
		out = append(out, fetchPartition{
			name: name, id: t.id, index: a.index, topic: topic, offset: a.offset,
			maxBytes: a.maxBytes, epoch: a.epoch, lastEpoch: a.lastEpoch,
		})
	}
	return out
}

// update takes the request's additions, changes and removals over. What would
// pass the bound of all sessions' memory is not added, and the result is
// false: the session ends with this fetch.
func (fs *fetchSession) update(s *sessionCache, r *fetchRequest) bool {
	last, name, fits := int32(-1), "", true
	for i := range r.asks {
		a := &r.asks[i]
		if a.topic != last {
			last, name = a.topic, string(r.topics[a.topic].name)
		}
		key := sessionKey{topic: name, id: r.topics[a.topic].id, index: a.index}
		sp := fs.parts[key]
		if sp == nil {
			cost := int64(sessionPartitionBytes + len(name))
			if s.bytes.Add(cost) > sessionsBytesMax+sessionsBytesMax/4 {
				s.bytes.Add(-cost)
				fits = false
				continue
			}
			fs.bytes += cost
			sp = &sessionPartition{key: key}
			fs.parts[key] = sp
			fs.order = append(fs.order, sp)
		}
		sp.offset, sp.maxBytes, sp.epoch, sp.lastEpoch = a.offset, a.maxBytes, a.epoch, a.lastEpoch
	}
	if len(r.forgotten) > 0 {
		fs.forget(s, r)
	}
	return fits
}

// forget takes partitions out of the session.
func (fs *fetchSession) forget(s *sessionCache, r *fetchRequest) {
	freed := int64(0)
	for _, f := range r.forgotten {
		key := sessionKey{topic: string(r.topics[f.topic].name), id: r.topics[f.topic].id, index: f.index}
		if sp := fs.parts[key]; sp != nil {
			sp.gone = true
			delete(fs.parts, key)
			freed += int64(sessionPartitionBytes + len(key.topic))
		}
	}
	kept := fs.order[:0]
	for _, sp := range fs.order {
		if !sp.gone {
			kept = append(kept, sp)
		}
	}
	clear(fs.order[len(kept):])
	fs.order = kept
	fs.bytes -= freed
	s.bytes.Add(-freed)
}

// choose marks the partitions that the answer lists: all of a full fetch; of an
// incremental one those with records, an error, or other offsets than the
// client was told last.
func (x *fetchContext) choose(parts []fetchPartition) {
	moved := false
	for i := range parts {
		p := &parts[i]
		p.listed = p.sp == nil || p.sp.news(p) || !x.incremental
		moved = moved || p.extent != nil
	}
	if moved && x.incremental {
		x.session.rotate(parts)
	}
}

// news says whether p differs from what the client knows, and notes it as told.
func (sp *sessionPartition) news(p *fetchPartition) bool {
	if p.code != kafka.ErrNone {
		sp.told = false // an error is repeated until it is gone
		return true
	}
	same := sp.told && sp.hw == p.answer.HighWatermark && sp.logStart == p.answer.LogStart
	sp.told, sp.hw, sp.logStart = true, p.answer.HighWatermark, p.answer.LogStart
	return !same || p.extent != nil || p.elsewhere || p.answer.Diverging.Epoch >= 0
}

// rotate moves the partitions with data behind the others.
func (fs *fetchSession) rotate(parts []fetchPartition) {
	order := fs.order[:0]
	for i := range parts {
		if parts[i].extent == nil {
			order = append(order, parts[i].sp)
		}
	}
	for i := range parts {
		if parts[i].extent != nil {
			order = append(order, parts[i].sp)
		}
	}
	fs.order = order
}
