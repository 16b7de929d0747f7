package group

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
)

// TestGolden runs the scripts of testdata/golden. Commands of one block run in turn;
// each writes what was answered, appended and told. Requests are numbered.
// Member ids are written name#n, n counting the joins without an id. Unless held, what is appended is committed
// at once, and what is due now happens at once.
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata/golden", func(t *testing.T, path string) {
		w := newWorld(testConfig())
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			w.show = func(line string) { fmt.Fprintln(&out, line) }
			for _, line := range strings.Split(d.Input, "\n") {
				if line = strings.TrimSpace(line); line == "" {
					continue
				}
				if err := w.command(line); err != nil {
					d.Fatalf(t, "%s: %v", line, err)
				}
			}
			return out.String()
		})
	})
}

// args are the key=value words of a command.
type args map[string]string

func (a args) str(key, def string) string {
	if v, ok := a[key]; ok {
		return long(v)
	}
	return def
}

func (a args) ptr(key string) *string {
	if v, ok := a[key]; ok {
		v = long(v)
		return &v
	}
	return nil
}

func (a args) num(key string, def int) int {
	v, ok := a[key]
	if !ok {
		return def
	}
	n, err := strconv.Atoi(v)
	must(err)
	return n
}

func (a args) list(key string) []string {
	if a[key] == "" {
		return nil
	}
	return strings.Split(a[key], ",")
}

// subscription is the consumer protocol's, version 0, of the topics.
func subscription(topics []string) []byte {
	b := []byte{0, 0, 0, 0, 0, byte(len(topics))}
	for _, t := range topics {
		b = append(b, 0, byte(len(t)))
		b = append(b, t...)
	}
	return append(b, 0, 0, 0, 0)
}

func (w *world) command(line string) error {
	words := strings.Fields(line)
	a := args{}
	for _, word := range words[1:] {
		k, v, _ := strings.Cut(word, "=")
		a[k] = v
	}
	if req := requestOf(words[0], a); req != nil {
		def := int(req.MaxVersion())
		if words[0] == "commit" || words[0] == "fetch" {
			def = 9 // the last with names
		}
		if words[0] == "sync" && a["type"] == "" && a["proto"] == "" {
			def = 4 // the last without protocol type and name
		}
		req.SetVersion(int16(a.num("v", def)))
		w.send(a.str("client", "c"), req)
		return nil
	}
	switch words[0] {
	case "config":
		w.cfg.InitialRebalanceDelay = time.Duration(a.num("delay", 0)) * time.Millisecond
		w.cfg.MaxSize = a.num("max", w.cfg.MaxSize)
		w.cfg.MaxMessageBytes = a.num("message-bytes", w.cfg.MaxMessageBytes)
		return w.m().Configure(w.cfg)
	case "pass":
		d, err := time.ParseDuration(words[1])
		w.pass(d)
		return err
	case "keep": // heartbeats every ten minutes
		d, err := time.ParseDuration(a.str("for", ""))
		for ; d > 0; d -= 10 * time.Minute {
			w.pass(10 * time.Minute)
			r := kmsg.NewPtrHeartbeatRequest()
			r.Group, r.MemberID, r.Generation = a.str("g", "g"), a.str("m", ""), int32(a.num("gen", 1))
			r.SetVersion(4)
			show := w.show
			w.show = func(string) {}
			w.send("c", r)
			w.show = show
		}
		return err
	case "wall":
		w.t.Wall += int64(a.num("ms", 0))
	case "many": // commits of offsets 0 to n-1 to partition after partition of t
		for i := range a.num("n", 0) {
			show := w.show
			w.show = func(string) {}
			r := commitRequest(args{"g": a.str("g", "g"), "offsets": fmt.Sprintf("t:%d:%d", i, i)})
			r.SetVersion(9)
			w.send("c", r)
			w.show = show
		}
	case "quiet": // counts what is appended instead of showing it
		w.quiet = a.str("on", "yes") == "yes"
	case "hold":
		w.hold = true
	case "hw":
		w.hw = int64(min(a.num("to", len(w.log)), len(w.log)))
		w.took(w.rt.Committed(w.hw))
	case "release":
		w.hold = false
		w.commit()
	case "crash": // what was not committed is lost
		w.load()
	case "take-over": // nothing is lost, but not all is committed yet
		w.takeOver()
	case "unload":
		w.took(w.rt.Unload())
	case "begin": // loading goes on
		w.took(w.rt.Begin(0))
	case "refuse":
		w.refuse = a.str("appends", "yes") == "yes"
	case "state":
		w.show(cmp.Or(strings.TrimSuffix(stateText(w.m()), "\n"), "nothing"))
	case "counts":
		w.show(fmt.Sprintf("%+v waiting=%d", w.m().Counts(), w.rt.Waiting()))
	case "topic":
		w.topics[a.str("name", "")] = testTopic{topicID(byte(a.num("id", 0))), a.num("partitions", 1)}
	case "delete-topic":
		name := a.str("name", "")
		gone := coord.DeletedTopic{Name: name, ID: w.topics[name].id}
		if a.str("now", "") == "" {
			delete(w.topics, name)
		} else {
			w.topics[name] = testTopic{topicID(byte(a.num("now", 0))), 8}
		}
		w.took(w.rt.Deleted(w.t, w.topics, []coord.DeletedTopic{gone}))
		w.commit()
		w.settle()
	case "record": // a record that another version of the software wrote
		key, err := hex.DecodeString(a.str("key", ""))
		must(err)
		rec := coord.Record{Key: key}
		if v, ok := a["value"]; ok {
			rec.Value, err = hex.DecodeString(v)
			must(err)
		}
		w.log = append(w.log, rec)
		w.hw = int64(len(w.log))
	default:
		return fmt.Errorf("unknown command")
	}
	return nil
}

// requestOf builds the request of a command, nil for other commands.
func requestOf(name string, a args) kmsg.Request {
	switch name {
	case "join":
		r := kmsg.NewPtrJoinGroupRequest()
		r.Group, r.MemberID, r.InstanceID = a.str("g", "g"), a.str("m", ""), a.ptr("inst")
		if n := a.num("group-bytes", 0); n > 0 {
			r.Group = strings.Repeat("g", n)
		}
		if n := a.num("inst-bytes", 0); n > 0 {
			r.InstanceID = ptr(strings.Repeat("i", n))
		}
		r.ProtocolType = a.str("type", "consumer")
		r.SessionTimeoutMillis = int32(a.num("session", 10_000))
		r.RebalanceTimeoutMillis = int32(a.num("rebalance", 30_000))
		protos, ok := a["protos"]
		if !ok {
			protos = "range"
		}
		for _, p := range strings.FieldsFunc(protos, func(r rune) bool { return r == ',' }) {
			one := kmsg.NewJoinGroupRequestProtocol()
			one.Name = p
			one.Metadata = subscription(a.list("topics"))
			if md, ok := a["metadata"]; ok {
				one.Metadata = []byte(md)
			}
			r.Protocols = append(r.Protocols, one)
		}
		return r
	case "sync":
		r := kmsg.NewPtrSyncGroupRequest()
		r.Group, r.MemberID, r.InstanceID = a.str("g", "g"), a.str("m", ""), a.ptr("inst")
		r.Generation = int32(a.num("gen", 1))
		r.ProtocolType, r.Protocol = a.ptr("type"), a.ptr("proto")
		for _, as := range a.list("assign") {
			id, what, _ := strings.Cut(as, ":")
			one := kmsg.NewSyncGroupRequestGroupAssignment()
			one.MemberID, one.MemberAssignment = long(id), []byte(what)
			r.GroupAssignment = append(r.GroupAssignment, one)
		}
		return r
	case "heartbeat":
		r := kmsg.NewPtrHeartbeatRequest()
		r.Group, r.MemberID, r.InstanceID = a.str("g", "g"), a.str("m", ""), a.ptr("inst")
		r.Generation = int32(a.num("gen", 1))
		return r
	case "leave":
		r := kmsg.NewPtrLeaveGroupRequest()
		r.Group, r.MemberID = a.str("g", "g"), a.str("m", "")
		for _, id := range append(a.list("ms"), a.list("m")...) {
			r.Members = append(r.Members, kmsg.LeaveGroupRequestMember{MemberID: long(id), InstanceID: a.ptr("inst")})
		}
		for _, id := range a.list("insts") {
			r.Members = append(r.Members, kmsg.LeaveGroupRequestMember{InstanceID: &id})
		}
		return r
	case "commit":
		return commitRequest(a)
	case "fetch":
		return fetchRequest(a)
	case "offset-delete":
		r := kmsg.NewPtrOffsetDeleteRequest()
		r.Group = a.str("g", "g")
		for _, tp := range a.list("offsets") {
			name, p, _ := strings.Cut(tp, ":")
			r.Topics = append(r.Topics, kmsg.OffsetDeleteRequestTopic{Topic: name, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: int32(args{"p": p}.num("p", 0))}}})
		}
		return r
	case "list":
		r := kmsg.NewPtrListGroupsRequest()
		r.StatesFilter, r.TypesFilter = a.list("states"), a.list("types")
		return r
	case "describe":
		r := kmsg.NewPtrDescribeGroupsRequest()
		r.Groups = strings.Split(a.str("g", "g"), ",")
		return r
	case "delete":
		r := kmsg.NewPtrDeleteGroupsRequest()
		r.Groups = strings.Split(a.str("g", "g"), ",")
		return r
	}
	return nil
}

// commitRequest commits offsets=topic:partition:offset,...
func commitRequest(a args) kmsg.Request {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Group, r.MemberID, r.InstanceID = a.str("g", "g"), a.str("m", ""), a.ptr("inst")
	r.Generation = int32(a.num("gen", -1))
	r.RetentionTimeMillis = int64(a.num("retention", -1))
	for _, o := range a.list("offsets") {
		parts := strings.Split(o, ":")
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition = int32(args{"p": parts[1]}.num("p", 0))
		p.Offset = int64(args{"o": parts[2]}.num("o", 0))
		p.LeaderEpoch = int32(a.num("epoch", -1))
		p.Metadata = a.ptr("metadata")
		if n := a.num("metadata-bytes", 0); n > 0 {
			s := strings.Repeat("x", n)
			p.Metadata = &s
		}
		t := kmsg.OffsetCommitRequestTopic{Topic: parts[0], Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}
		if id, err := strconv.Atoi(parts[0]); err == nil {
			t.Topic, t.TopicID = "", topicID(byte(id))
		}
		r.Topics = append(r.Topics, t)
	}
	return r
}

// fetchRequest fetches offsets=topic:partition,... or everything.
func fetchRequest(a args) kmsg.Request {
	r := kmsg.NewPtrOffsetFetchRequest()
	r.Group = a.str("g", "g")
	var topics []kmsg.OffsetFetchRequestGroupTopic
	for _, o := range a.list("offsets") {
		name, p, _ := strings.Cut(o, ":")
		partitions := []int32{int32(args{"p": p}.num("p", 0))}
		r.Topics = append(r.Topics, kmsg.OffsetFetchRequestTopic{Topic: name, Partitions: partitions})
		t := kmsg.OffsetFetchRequestGroupTopic{Topic: name, Partitions: partitions}
		if id, err := strconv.Atoi(name); err == nil {
			t.Topic, t.TopicID = "", [16]byte(topicID(byte(id)))
		}
		topics = append(topics, t)
	}
	for _, g := range strings.Split(r.Group, ",") {
		r.Groups = append(r.Groups, kmsg.OffsetFetchRequestGroup{Group: g, MemberEpoch: -1, Topics: topics})
	}
	return r
}
