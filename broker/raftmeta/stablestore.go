package raftmeta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"sort"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/disk/vfs"
)

// The format of moldau.stable, big endian: two slots of stableSlotBytes, of
// which the valid one with the greatest sequence number counts. A change goes
// into the other slot, so that a torn write leaves the one before.
//
//	slot     magic 4 "MSTB" | version u32 | sequence u64 | length u32 | crc32c u32 of all but itself | payload
//	payload  count u16 | count times: key length u16, key, value length u16, value
const (
	stableMagic     = "MSTB"
	stableVersion   = 1
	stableHeaderLen = 24
	stableSlotBytes = 4096

	stableKeysMax       = 32
	stableValueBytesMax = 1024
)

// Raft's own keys that are written as a pair: the term of the vote first,
// then whom it was given to.
const (
	keyLastVoteTerm = "LastVoteTerm"
	keyLastVoteCand = "LastVoteCand"
)

// StableStore keeps raft's term and vote.
//
// Raft writes a vote by two calls, the term of it and then the candidate, and
// gives it only after both: the first waits in memory for the second, so that
// the two change together and cost one sync.
type StableStore struct {
	guard *Guard

	mu     writeLock
	file   vfs.File
	seq    uint64
	values map[string]string
	staged *string // LastVoteTerm, waiting for LastVoteCand
	failed error
}

var _ raft.StableStore = (*StableStore)(nil)

// openStable opens the file in dir and makes it if it is missing, or if
// fresh is set (nothing else of raft's exists) and its creation was cut short.
func openStable(fsys vfs.FS, dir string, guard *Guard, fresh bool) (s *StableStore, err error) {
	s = &StableStore{guard: guard, mu: newWriteLock(), values: map[string]string{}}
	path := dir + "/" + stableName
	s.file, err = fsys.Open(path)
	if err == nil {
		if err = s.load(); err == nil {
			err = s.prove()
		}
		if err == nil {
			return s, nil
		}
		err = errors.Join(err, s.file.Close())
		if !fresh || !errors.Is(err, ErrDamaged) {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	} else if !fresh || !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open raft's term and vote: %w", err)
	}
	if s.file, err = fsys.Create(path); err != nil {
		return nil, fmt.Errorf("create raft's term and vote: %w", err)
	}
	if err := s.file.Truncate(2 * stableSlotBytes); err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	if err := s.persist(); err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	// Promise (raft): term and vote survive; so must the file's name.
	if err := fsys.SyncDir(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("sync folder of raft's vote: %w", err), s.file.Close())
	}
	return s, nil
}

// load takes the newest valid slot. A slot that cannot be read may hold the
// newest vote, so it fails the load; one that is torn was never acknowledged.
func (s *StableStore) load() error {
	b := make([]byte, stableSlotBytes)
	found := false
	for slot := int64(0); slot < 2; slot++ {
		n, err := s.file.ReadAt(b, slot*stableSlotBytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read raft's term and vote: %w", err)
		}
		seq, values, err := parseStableSlot(b[:n])
		if errors.Is(err, ErrNewerFormat) {
			return err
		}
		if err == nil && (!found || seq > s.seq) {
			found, s.seq, s.values = true, seq, values
		}
	}
	if !found {
		return fmt.Errorf("neither copy of raft's term and vote is whole: %w", ErrDamaged)
	}
	return nil
}

// prove writes the slot that counts again, where it is and as it is, and syncs
// it. Had the process before failed to sync it, or not come to it, it would be
// readable, and not on the disk; had the sync failed, the system would hold it
// for clean. The other slot stays: a torn write leaves it.
func (s *StableStore) prove() error { return s.write(s.seq) }

func parseStableSlot(b []byte) (seq uint64, values map[string]string, err error) {
	if len(b) < stableHeaderLen || string(b[:4]) != stableMagic {
		return 0, nil, ErrDamaged
	}
	n := int(binary.BigEndian.Uint32(b[16:]))
	if n > len(b)-stableHeaderLen {
		return 0, nil, ErrDamaged
	}
	payload := b[stableHeaderLen : stableHeaderLen+n]
	if stableCRC(b, payload) != binary.BigEndian.Uint32(b[20:]) {
		return 0, nil, ErrDamaged
	}
	if v := binary.BigEndian.Uint32(b[4:]); v != stableVersion {
		return 0, nil, fmt.Errorf("format %d, this program knows %d: %w", v, stableVersion, ErrNewerFormat)
	}
	values, err = parseStablePayload(payload)
	return binary.BigEndian.Uint64(b[8:]), values, err
}

func stableCRC(header, payload []byte) uint32 {
	sum := make([]byte, 0, 20+len(payload))
	sum = append(sum, header[:20]...)
	return crcOf(append(sum, payload...))
}

func parseStablePayload(p []byte) (map[string]string, error) {
	next := func() (string, bool) {
		if len(p) < 2 || len(p)-2 < int(binary.BigEndian.Uint16(p)) {
			return "", false
		}
		n := int(binary.BigEndian.Uint16(p))
		text := string(p[2 : 2+n])
		p = p[2+n:]
		return text, true
	}
	if len(p) < 2 {
		return nil, ErrDamaged
	}
	count := int(binary.BigEndian.Uint16(p))
	p = p[2:]
	if count > stableKeysMax {
		return nil, ErrDamaged
	}
	values := make(map[string]string, count)
	for range count {
		key, ok1 := next()
		value, ok2 := next()
		if !ok1 || !ok2 {
			return nil, ErrDamaged
		}
		values[key] = value
	}
	return values, nil
}

// persist writes the values into the slot that does not count, which then does.
func (s *StableStore) persist() error {
	if err := s.write(s.seq + 1); err != nil {
		return err
	}
	s.seq++
	return nil
}

// write writes the values into the slot of sequence number seq, and syncs.
func (s *StableStore) write(seq uint64) error {
	keys := make([]string, 0, len(s.values))
	for key := range s.values { //det:ok sorted below
		keys = append(keys, key)
	}
	sort.Strings(keys)
	payload := binary.BigEndian.AppendUint16(nil, uint16(len(keys)))
	for _, key := range keys {
		payload = binary.BigEndian.AppendUint16(payload, uint16(len(key)))
		payload = append(payload, key...)
		payload = binary.BigEndian.AppendUint16(payload, uint16(len(s.values[key])))
		payload = append(payload, s.values[key]...)
	}
	if len(payload) > stableSlotBytes-stableHeaderLen {
		return fmt.Errorf("raft's stable values take %d bytes, %d are allowed", len(payload), stableSlotBytes-stableHeaderLen)
	}
	b := append(make([]byte, 0, stableHeaderLen+len(payload)), stableMagic...)
	b = binary.BigEndian.AppendUint32(b, stableVersion)
	b = binary.BigEndian.AppendUint64(b, seq)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.BigEndian.AppendUint32(b, stableCRC(b, payload))
	b = append(b, payload...)
	if _, err := s.file.WriteAt(b, int64(seq%2)*stableSlotBytes); err != nil {
		return fmt.Errorf("write raft's term and vote: %w", err)
	}
	// Promise (raft): a term that was seen and a vote that was given are never forgotten.
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("sync raft's term and vote: %w", err)
	}
	return nil
}

// Set stores a value durably, the term of a vote excepted (see StableStore).
//
// Raft panics when its term cannot be stored. A store that fails reports that
// to the node, which stops, and ends the goroutine that called instead.
func (s *StableStore) Set(key, val []byte) error {
	if len(val) > stableValueBytesMax {
		return fmt.Errorf("raft's stable value %q: %d bytes, %d are allowed", key, len(val), stableValueBytesMax)
	}
	defer s.guard.enter()()
	if err := s.set(string(key), string(val)); err != nil {
		s.guard.failed(err)
		runtime.Goexit()
	}
	return nil
}

func (s *StableStore) set(key, val string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	if key == keyLastVoteTerm {
		s.staged = &val
		return nil
	}
	old, had := s.values[key]
	changed := !had || old != val
	if key == keyLastVoteCand && s.staged != nil {
		changed = changed || s.values[keyLastVoteTerm] != *s.staged
		s.values[keyLastVoteTerm] = *s.staged
		s.staged = nil
	}
	if !changed {
		return nil
	}
	if _, ok := s.values[key]; !ok && len(s.values) >= stableKeysMax {
		return fmt.Errorf("raft's stable value %q: %d keys are there already", key, stableKeysMax)
	}
	s.values[key] = val
	if err := s.persist(); err != nil {
		s.failed = fmt.Errorf("%w: %w", ErrFailed, err)
		return err
	}
	return nil
}

// Get is the value of key, empty if it was never set.
func (s *StableStore) Get(key []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if string(key) == keyLastVoteTerm && s.staged != nil {
		return []byte(*s.staged), nil
	}
	return []byte(s.values[string(key)]), nil
}

// SetUint64 is Set of a number. Setting a number that was never set to 0
// changes nothing, since 0 is what GetUint64 says of it.
func (s *StableStore) SetUint64(key []byte, val uint64) error {
	if old, err := s.GetUint64(key); err == nil && old == val {
		return nil
	}
	return s.Set(key, binary.BigEndian.AppendUint64(nil, val))
}

// GetUint64 is the number set for key, 0 if there is none.
func (s *StableStore) GetUint64(key []byte) (uint64, error) {
	b, err := s.Get(key)
	if err != nil || len(b) == 0 {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("raft's stable value %q is no number: %w", key, ErrDamaged)
	}
	return binary.BigEndian.Uint64(b), nil
}

// Close closes the file.
func (s *StableStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = ErrClosed
	}
	return s.file.Close()
}
