package controller

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// A scenario file drives one machine. After every command the committed image
// is made anew from the records and compared with the speculative one.
type scenario struct {
	printer
	m         *Machine
	now       Times
	committed *metaimage.Image
	epoch     int32
	out       strings.Builder
}

func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &scenario{printer: printer{names: map[kafka.UUID]string{}}, committed: metaimage.New("c")}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.run(t, d) })
	})
}

func testConfig() Config {
	return Config{
		NodeID: 1, ClusterID: "c", Configs: table{}, Entropy: &counter{},
		SessionTimeout: 300 * time.Millisecond, HeartbeatInterval: 50 * time.Millisecond, DisconnectGrace: 100 * time.Millisecond,
		DefaultPartitions: 1, DeleteTopics: true, Bootstrap: BootstrapFeatures(), Supported: SupportedFeatures(),
	}
}

func (s *scenario) take(t testing.TB, records []metarecord.Record) {
	if len(records) == 0 {
		return
	}
	for i, r := range records {
		text := s.text(r)
		fmt.Fprintf(&s.out, "%d %s%s\n", s.committed.Offset()+1+int64(i), strings.TrimSuffix(r.Type().String(), "Record"), text)
		if topic, ok := r.(*metarecord.Topic); ok {
			s.names[topic.TopicID] = "<" + topic.Name + ">"
		}
	}
	bytes, err := metarecord.EncodeBatch(metarecord.Batch{BaseOffset: s.committed.Offset() + 1, Epoch: s.epoch, Records: records}, s.committed.MetadataVersion())
	if err != nil {
		t.Fatal(err)
	}
	b, rest, err := metarecord.DecodeBatch(bytes, metarecord.NewCodecs())
	if err != nil || len(rest) > 0 {
		t.Fatalf("decode: %v, %d left", err, len(rest))
	}
	if s.committed, _, err = s.committed.Apply(b.Records, b.BaseOffset, b.Epoch); err != nil {
		t.Fatal(err)
	}
}

func (s *scenario) handle(t testing.TB, req kmsg.Request, version int16) kmsg.Response {
	req.SetVersion(version)
	d := s.m.Handle(s.now, req)
	s.take(t, d.Records)
	if d.Reply == nil {
		fmt.Fprintf(&s.out, "no reply\n")
		return nil
	}
	if got := d.Reply.GetVersion(); got != version {
		t.Fatalf("reply of version %d to %d", got, version)
	}
	if err := d.Reply.RequestKind().ResponseKind().ReadFrom(nil); err == nil && d.Reply.Key() != req.Key() {
		t.Fatalf("reply of key %d to %d", d.Reply.Key(), req.Key())
	}
	fmt.Fprintf(&s.out, "-> %s\n", s.text(d.Reply))
	return d.Reply
}

func (s *scenario) run(t *testing.T, d *datadriven.TestData) string {
	s.out.Reset()
	a := args{t, d}
	switch d.Cmd {
	case "activate":
		cfg := testConfig()
		cfg.DefaultReplicationFactor = int16(a.num("rf", 0))
		cfg.RaisedTopics = a.list("raised")
		cfg.RebalanceInterval = time.Duration(a.num("rebalance", 0)) * time.Millisecond
		if s.m == nil {
			s.m = New(cfg)
		}
		s.epoch++
		s.take(t, s.m.Activate(s.committed, s.committed.Offset()+1, s.epoch, s.now))
	case "crash": // the process ends; the log stays
		s.m = nil
		return "ok\n"
	case "resign":
		s.m.Resign()
	case "register":
		s.register(t, a)
	case "heartbeat":
		s.heartbeat(t, a)
	case "up": // register and unfence brokers with one directory each
		for _, f := range a.list("ids") {
			s.out.Reset()
			s.register(t, args{t, &datadriven.TestData{Cmd: "register", CmdArgs: []datadriven.CmdArg{
				{Key: "id", Vals: []string{f}}, {Key: "dirs", Vals: []string{"dir" + f}}, {Key: "inc", Vals: []string{"inc" + f + a.str("inc", "")}},
				{Key: "rack", Vals: []string{a.str("rack", "")}}}}})
			s.heartbeat(t, args{t, &datadriven.TestData{CmdArgs: []datadriven.CmdArg{{Key: "id", Vals: []string{f}}}}})
		}
		s.out.Reset()
	case "wait":
		s.now.Mono = s.now.Mono.Add(time.Duration(a.num("ms", 0)) * time.Millisecond)
	case "pass": // time in small steps, with ticks, while some brokers send heartbeats
		for range a.num("ms", 0) / 25 {
			s.now.Mono = s.now.Mono.Add(25 * time.Millisecond)
			for _, f := range a.list("alive") {
				s.heartbeat(t, args{t, &datadriven.TestData{CmdArgs: []datadriven.CmdArg{{Key: "id", Vals: []string{f}}, {Key: "quiet"}}}})
			}
			s.tick(t, true)
		}
	case "tick":
		s.tick(t, false)
	case "disconnected":
		id := int32(a.num("id", 0))
		s.m.Disconnected(s.now, id, s.m.Image().Broker(id).BrokerEpoch)
	case "image":
		s.dump(a.str("topic", ""))
	default:
		s.admin(t, a)
	}
	s.compare(t)
	if s.out.Len() == 0 {
		return "ok\n"
	}
	return s.out.String()
}

func (s *scenario) tick(t testing.TB, quiet bool) {
	batches, next := s.m.Tick(s.now)
	for _, b := range batches {
		s.take(t, b)
	}
	if !quiet {
		fmt.Fprintf(&s.out, "next in %s\n", next)
	}
}

// compare checks that the speculative image is what the records replay to.
func (s *scenario) compare(t testing.TB) {
	if s.m == nil || !s.m.Active() {
		return
	}
	compareImages(t, s.m.Image(), s.committed)
}

func compareImages(t testing.TB, a, b *metaimage.Image) {
	t.Helper()
	if a.Offset() != b.Offset() || imageText(a) != imageText(b) {
		t.Fatalf("speculative image at %d:\n%s\nreplayed image at %d:\n%s", a.Offset(), imageText(a), b.Offset(), imageText(b))
	}
}

func imageText(m *metaimage.Image) string {
	p := printer{names: map[kafka.UUID]string{}}
	var b strings.Builder
	for r := range m.Records() {
		b.WriteString(r.Type().String() + p.text(r) + "\n")
	}
	return b.String()
}

func (s *scenario) dump(topic string) {
	m := s.m.Image()
	for id, b := range m.Brokers() {
		fmt.Fprintf(&s.out, "broker %d epoch=%d fenced=%v stopping=%v\n", id, b.BrokerEpoch, b.Fenced, b.InControlledShutdown)
	}
	for name, tp := range m.Topics() {
		if topic != "" && topic != name {
			continue
		}
		for id, p := range tp.Partitions() {
			fmt.Fprintf(&s.out, "%s-%d leader=%d epoch=%d/%d replicas=%v isr=%v elr=%v", name, id, p.Leader, p.LeaderEpoch, p.PartitionEpoch, p.Replicas, p.ISR, p.ELR)
			if len(p.LastKnownELR) > 0 {
				fmt.Fprintf(&s.out, " lastKnown=%v", p.LastKnownELR)
			}
			for _, d := range p.Doubtful {
				fmt.Fprintf(&s.out, " doubtful=%d(%d,%d)", d.BrokerID, d.LastEpoch, d.End)
			}
			if p.Reassigned() {
				fmt.Fprintf(&s.out, " adding=%v removing=%v", p.Adding, p.Removing)
			}
			if p.Recovery != 0 {
				fmt.Fprintf(&s.out, " recovering")
			}
			fmt.Fprintln(&s.out)
		}
		for k, v := range m.ConfigsOf(metaimage.Resource{Type: metaimage.ResourceTopic, Name: name}) {
			fmt.Fprintf(&s.out, "%s %s=%s derived=%v\n", name, k, v.Value, v.Derived)
		}
	}
}

// args reads a command's arguments.
type args struct {
	t testing.TB
	d *datadriven.TestData
}

func (a args) find(key string) (datadriven.CmdArg, bool) {
	for _, c := range a.d.CmdArgs {
		if c.Key == key {
			return c, true
		}
	}
	return datadriven.CmdArg{}, false
}

func (a args) str(key, def string) string {
	c, ok := a.find(key)
	if !ok || len(c.Vals) == 0 {
		return def
	}
	return strings.Join(c.Vals, ",")
}

func (a args) has(key string) bool { _, ok := a.find(key); return ok }

func (a args) num(key string, def int) int {
	s := a.str(key, "")
	if s == "" {
		return def
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		a.t.Fatalf("%s: %v", key, err)
	}
	return n
}

func (a args) list(key string) []string {
	c, _ := a.find(key)
	var out []string
	for _, v := range c.Vals {
		for _, f := range strings.Split(v, ",") {
			if f != "" {
				out = append(out, f)
			}
		}
	}
	return out
}

func (a args) ints(key string) (out []int32) {
	for _, f := range a.list(key) {
		n, err := strconv.Atoi(f)
		if err != nil {
			a.t.Fatal(err)
		}
		out = append(out, int32(n))
	}
	return out
}

// partition reads "topic-3".
func (s *scenario) partition(text string) kafka.TopicPartition {
	i := strings.LastIndexByte(text, '-')
	n, _ := strconv.Atoi(text[i+1:])
	topic := s.m.Image().TopicByName(text[:i])
	if topic == nil {
		return kafka.TopicPartition{Partition: int32(n)}
	}
	return kafka.TopicPartition{Topic: topic.ID, Partition: int32(n)}
}

func (s *scenario) register(t testing.TB, a args) {
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.BrokerID, req.ClusterID = int32(a.num("id", 0)), a.str("cluster", "c")
	req.IncarnationID = s.id(a.str("inc", "i"))
	for _, f := range a.list("dirs") {
		req.LogDirs = append(req.LogDirs, s.id(f))
	}
	if rack := a.str("rack", ""); rack != "" {
		req.Rack = &rack
	}
	l := kmsg.NewBrokerRegistrationRequestListener()
	l.Name, l.Host, l.Port = "PLAINTEXT", "h", 9092
	req.Listeners = append(req.Listeners, l)
	f := kmsg.NewBrokerRegistrationRequestFeature()
	f.Name, f.MinSupportedVersion, f.MaxSupportedVersion = metaimage.FeatureMetadataVersion, 30, int16(a.num("maxlevel", 30))
	req.Features = append(req.Features, f)
	var proof metarecord.Proof
	for _, x := range a.list("damaged") {
		proof.Damaged = append(proof.Damaged, metarecord.End(s.partition(x), -1, -1))
	}
	for _, list := range []struct {
		key string
		dst *[]metarecord.PartitionEnd
	}{{"doubtful", &proof.Doubtful}, {"ends", &proof.Ends}} {
		for _, x := range a.list(list.key) { // topic-0:epoch:end
			w := strings.Split(x, ":")
			epoch, _ := strconv.Atoi(w[1])
			end, _ := strconv.Atoi(w[2])
			*list.dst = append(*list.dst, metarecord.End(s.partition(w[0]), int32(epoch), int64(end)))
		}
	}
	proof.SetOn(req)
	s.handle(t, req, 4)
}

func (s *scenario) heartbeat(t testing.TB, a args) {
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.BrokerID = int32(a.num("id", 0))
	if b := s.m.Image().Broker(req.BrokerID); b != nil {
		req.BrokerEpoch = b.BrokerEpoch
	}
	req.BrokerEpoch = int64(a.num("epoch", int(req.BrokerEpoch)))
	req.CurrentMetadataOffset = int64(a.num("offset", int(s.m.Image().Offset())))
	req.WantFence, req.WantShutdown = a.has("fence"), a.has("shutdown")
	for _, f := range a.list("offline") {
		req.OfflineLogDirs = append(req.OfflineLogDirs, s.id(f))
	}
	for _, f := range a.list("cordoned") {
		req.CordonedLogDirs = append(req.CordonedLogDirs, s.id(f))
	}
	var stalled []kafka.UUID
	for _, f := range a.list("stalled") {
		stalled = append(stalled, s.id(f))
	}
	metarecord.SetStalledDirs(req, stalled)
	before := s.out.String()
	n := s.committed.Offset()
	s.handle(t, req, 2)
	if a.has("quiet") && s.committed.Offset() == n {
		s.out.Reset()
		s.out.WriteString(before)
	}
}
