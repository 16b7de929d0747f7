package metarecord

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
)

// The generated file must be what the schema makes.
func TestGenerated(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command")
	}
	want, err := exec.Command("go", "run", "gen.go", "-stdout").Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("records_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("records_gen.go is not what schema.txt makes: run go generate")
	}
}

// The example of offset 3 of a fresh Kafka cluster.
func TestExample(t *testing.T) {
	r := &FeatureLevel{Name: "eligible.leader.replicas.version", FeatureLevel: 1}
	want := "010c0021" + hex.EncodeToString([]byte(r.Name)) + "000100"
	if got := hex.EncodeToString(Encode(nil, r, 0)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestVersionAt(t *testing.T) {
	for _, c := range []struct {
		t       Type
		level   int16
		version int16
		ok      bool
	}{
		{TypeRegisterBroker, 30, 4, true}, {TypeRegisterBroker, 29, 3, true}, {TypeRegisterBroker, 8, 2, true}, {TypeRegisterBroker, 7, 1, true},
		{TypePartition, 30, 2, true}, {TypePartition, 22, 1, true}, {TypePartition, 16, 0, true},
		{TypeBrokerRegistrationChange, 30, 3, true}, {TypeBrokerRegistrationChange, 17, 2, true},
		{TypeClearELR, 22, 0, false}, {TypeUnregisterController, 30, 0, false}, {TypeUnregisterController, 33, 0, true},
		{TypeBeginTransaction, 12, 0, false}, {TypeTopic, 6, 0, false},
	} {
		if v, ok := c.t.VersionAt(c.level); v != c.version || ok != c.ok {
			t.Errorf("%s at %d: %d %v", c.t, c.level, v, ok)
		}
	}
}

// Marks of ours and tagged fields of others travel together, in order.
func TestTags(t *testing.T) {
	p := NewPartition()
	p.ISR, p.LastKnownELR = []int32{1}, []int32{2}
	p.Doubtful = []DoubtfulReplica{{BrokerID: 1, LastEpoch: 3, End: 9, Unknown: []Tag{{Key: 5, Value: []byte("n")}}}, {BrokerID: 2, LastEpoch: -1, End: -1}}
	p.Unknown = []Tag{{Key: 1, Value: []byte("x")}, {Key: 9000, Value: []byte{}}, {Key: 20000, Value: bytes.Repeat([]byte("y"), 300)}}
	p.Unknown = p.Unknown[1:]
	value := Encode(nil, p, 2)
	r, err := Decode(value)
	if err != nil {
		t.Fatal(err)
	}
	q := r.(*Partition)
	if !reflect.DeepEqual(q.Doubtful, p.Doubtful) || len(q.Unknown) != 2 || q.Unknown[1].Key != 20000 || len(q.Unknown[1].Value) != 300 {
		t.Errorf("got %+v", q)
	}
	if !bytes.Equal(Encode(nil, q, 2), value) {
		t.Error("not the same bytes again")
	}
	c := &Config{ResourceType: 2, ResourceName: "t", Name: "min.insync.replicas", Derived: true}
	if r, err := Decode(Encode(nil, c, 0)); err != nil || !r.(*Config).Derived {
		t.Errorf("derived: %+v %v", r, err)
	}
}

func TestRefused(t *testing.T) {
	ok := Encode(nil, &Topic{Name: "t"}, 0)
	for name, c := range map[string]struct {
		value []byte
		want  error
	}{
		"empty":         {nil, ErrCorrupt},
		"frame":         {append([]byte{2}, ok[1:]...), ErrTooNew},
		"type":          {[]byte{1, 6, 0}, ErrTooNew},
		"great type":    {[]byte{1, 99, 0}, ErrTooNew},
		"version":       {[]byte{1, 2, 1}, ErrTooNew},
		"short":         {ok[:len(ok)-1], ErrCorrupt},
		"long":          {append(append([]byte{}, ok...), 0), ErrCorrupt},
		"tag order":     {[]byte{1, 20, 0, 2, 5, 0, 4, 0}, ErrCorrupt},
		"tag twice":     {[]byte{1, 20, 0, 2, 5, 0, 5, 0}, ErrCorrupt},
		"tag too early": {append(Encode(nil, NewPartitionChange(), 0)[:3+4+16], 1, 6, 1, 1), ErrCorrupt},
		"tag size":      {[]byte{1, 23, 0, 1, 0, 3, 2, 'a', 'b'}, ErrCorrupt},
		"giant count":   {[]byte{1, 10, 0, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f}, ErrCorrupt},
	} {
		if _, err := Decode(c.value); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := EncodeAt(nil, &UnregisterController{}, 30); err == nil {
		t.Error("a record above the level was encoded")
	}
}

func TestProof(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		end := rapid.Custom(func(t *rapid.T) PartitionEnd {
			return End(kafka.TopicPartition{Topic: kafka.UUID{rapid.Byte().Draw(t, "id")}, Partition: rapid.Int32().Draw(t, "p")}, rapid.Int32().Draw(t, "e"), rapid.Int64().Draw(t, "end"))
		})
		p := Proof{Doubtful: list(t, end), Damaged: list(t, end), Ends: list(t, end)}
		req := kmsg.NewPtrBrokerRegistrationRequest()
		req.Version = 4
		p.SetOn(req)
		wire := req.AppendTo(nil)
		again := kmsg.NewPtrBrokerRegistrationRequest()
		again.Version = 4
		if err := again.ReadFrom(wire); err != nil {
			t.Fatal(err)
		}
		q, err := ProofOf(again)
		if err != nil || !reflect.DeepEqual(p, q) {
			t.Fatalf("%v: %+v, want %+v", err, q, p)
		}
	})
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.UnknownTags.Set(tagProof, []byte{0, 1, 1})
	if _, err := ProofOf(req); !errors.Is(err, ErrCorrupt) {
		t.Errorf("short proof: %v", err)
	}
	req.UnknownTags.Set(tagProof, []byte{7})
	if _, err := ProofOf(req); !errors.Is(err, ErrTooNew) {
		t.Errorf("new proof: %v", err)
	}
}

func list[T any](t *rapid.T, g *rapid.Generator[T]) []T {
	l := rapid.SliceOfN(g, 0, 4).Draw(t, "list")
	if len(l) == 0 {
		return nil
	}
	return l
}

func TestBatch(t *testing.T) {
	b := Batch{BaseOffset: 7, Epoch: 3, Timestamp: 99, Records: []Record{&Topic{Name: "a"}, &NoOp{}}}
	bytes, err := EncodeBatch(b, 30)
	if err != nil {
		t.Fatal(err)
	}
	size := 61
	for _, r := range b.Records {
		size += SizeOf(r)
	}
	if len(bytes) > size {
		t.Errorf("%d bytes, bound is %d", len(bytes), size)
	}
	got, rest, err := DecodeBatch(append(bytes, "rest"...), NewCodecs())
	if err != nil || string(rest) != "rest" || got.BaseOffset != 7 || got.Epoch != 3 || got.Timestamp != 99 || got.LastOffset != 8 || len(got.Records) != 2 {
		t.Errorf("%+v %q %v", got, rest, err)
	}
	if _, _, err := DecodeBatch(bytes[:len(bytes)-1], NewCodecs()); !errors.Is(err, batch.ErrPartial) {
		t.Errorf("cut batch: %v", err)
	}
	bytes[len(bytes)-1] ^= 1
	if _, _, err := DecodeBatch(bytes, NewCodecs()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("flipped bit: %v", err)
	}
}

func TestCheckpointRoundTrip(t *testing.T) {
	e := NewCheckpointEncoder(4, 1234, 30)
	var file []byte
	var err error
	for i := range 20_000 {
		if file, err = e.Add(file, &Topic{Name: strings.Repeat("n", i%50+1)}); err != nil {
			t.Fatal(err)
		}
	}
	file = e.Finish(file)
	n := 0
	info, err := DecodeCheckpoint(file, func(r Record) error {
		if len(r.(*Topic).Name) != n%50+1 {
			t.Fatalf("record %d: %+v", n, r)
		}
		n++
		return nil
	})
	if err != nil || n != 20_000 || info != (CheckpointInfo{Timestamp: 1234, Epoch: 4}) {
		t.Errorf("%d records, %+v, %v", n, info, err)
	}
	ignore := func(Record) error { return nil }
	for _, cut := range []int{0, 1, 60, len(file) / 2, len(file) - 1} {
		if _, err := DecodeCheckpoint(file[:cut], ignore); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	if _, err := DecodeCheckpoint(append(file, file...), ignore); !errors.Is(err, ErrCorrupt) {
		t.Errorf("bytes after the footer: %v", err)
	}
	stop := errors.New("stop")
	if _, err := DecodeCheckpoint(file, func(Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("visit's error: %v", err)
	}
	if _, err := DecodeCheckpoint(NewCheckpointEncoder(1, 2, 30).Finish(nil), ignore); err != nil {
		t.Errorf("empty checkpoint: %v", err)
	}
}

func TestCheckpointName(t *testing.T) {
	name := CheckpointName(1234, 5)
	if name != "00000000000000001234-0000000005.checkpoint" {
		t.Error(name)
	}
	if end, epoch, ok := ParseCheckpointName(name); !ok || end != 1234 || epoch != 5 {
		t.Error(end, epoch, ok)
	}
	for _, bad := range []string{"", "bootstrap.checkpoint", name + "x", "x" + name[1:], "+0000000000000001234-0000000005.checkpoint", strings.Replace(name, "5.", "-.", 1)} {
		if _, _, ok := ParseCheckpointName(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	data, err := os.ReadFile("testdata/records-4.4.0.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		value, _ := hex.DecodeString(strings.Fields(line)[2])
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		r, version, err := DecodeVersion(value)
		if err != nil {
			return
		}
		once := Encode(nil, r, version)
		r2, err := Decode(once)
		if err != nil {
			t.Fatalf("own bytes: %v", err)
		}
		if !bytes.Equal(Encode(nil, r2, version), once) {
			t.Fatal("not stable")
		}
	})
}

func FuzzDecodeCheckpoint(f *testing.F) {
	e := NewCheckpointEncoder(4, 1234, 30)
	file, _ := e.Add(nil, &Topic{Name: "t"})
	f.Add(e.Finish(file))
	f.Fuzz(func(t *testing.T, file []byte) {
		_, _ = DecodeCheckpoint(file, func(Record) error { return nil })
		for len(file) > 0 {
			_, rest, err := DecodeBatch(file, NewCodecs())
			if err != nil {
				return
			}
			file = rest
		}
	})
}
