package broker_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/net/tcp"
)

var (
	rewrite   = flag.Bool("rewrite", false, "write the goldens anew")
	peerKafka = flag.String("kafka", "", "host:port of an Apache Kafka without topics: run the scripts there and print what differs")
)

// produceVersionMin is the least version of Produce that is served; lower ones
// are named in ApiVersions for the sake of old clients.
const produceVersionMin = 3

// goldenNode is a node for one golden file.
func goldenNode(t *testing.T) *node {
	return startNode(t, memfs.New(),
		config.Property{Name: "offsets.topic.num.partitions", Value: "1"},
		config.Property{Name: "group.initial.rebalance.delay.ms", Value: "0"},
	)
}

const controllerAddr = "127.0.0.1:9093"

// Every key and version that a listener names has a golden: what the request
// asks and what the node answers, decoded strictly. A version without a script
// or a golden fails, and so does a golden without a version.
func TestGoldensOfTheBrokerListener(t *testing.T) {
	testGoldens(t, "broker", brokerScripts, func(n *node) *client { return n.client() })
}

func TestGoldensOfTheControllerListener(t *testing.T) {
	testGoldens(t, "controller", controllerScripts, func(n *node) *client { return n.clientAt(controllerAddr) })
}

func testGoldens(t *testing.T, listener string, scripts map[int16]script, dial func(*node) *client) {
	n := goldenNode(t)
	ranges := advertised(dial(n))
	n.stop()
	dir := filepath.Join("testdata", "goldens", listener)
	expected := map[string]bool{}
	for _, r := range ranges {
		name := fmt.Sprintf("%02d_%s.txt", r.ApiKey, kmsg.NameForKey(r.ApiKey))
		expected[name] = true
		t.Run(name, func(t *testing.T) {
			run, ok := scripts[r.ApiKey]
			if !ok {
				t.Fatalf("key %d (%s) is advertised and has no script", r.ApiKey, kmsg.NameForKey(r.ApiKey))
			}
			if *peerKafka != "" {
				comparePeer(t, r, run)
				return
			}
			n := goldenNode(t)
			defer n.stop()
			got := play(t, dial(n), n.client(), r, run)
			path := filepath.Join(dir, name)
			if *rewrite {
				writeGolden(t, path, got)
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("no golden: %v (make it with -rewrite and read it)", err)
			}
			if !bytes.Equal(want, []byte(got)) {
				t.Errorf("answers differ from the golden:\n%s", differences(string(want), got))
			}
		})
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !expected[f.Name()] {
			t.Errorf("golden %s is of a key that is not advertised", f.Name())
		}
	}
}

func writeGolden(t *testing.T, path, text string) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// advertised is what ApiVersions names.
func advertised(c *client) []kmsg.ApiVersionsResponseApiKey {
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 4, "test", "1"
	keys := c.ask(req).(*kmsg.ApiVersionsResponse).ApiKeys
	for i := range keys {
		if keys[i].ApiKey == 0 {
			keys[i].MinVersion = produceVersionMin
		}
	}
	return keys
}

// play runs the script at every version of the range and returns the golden's text.
func play(t *testing.T, c, broker *client, r kmsg.ApiVersionsResponseApiKey, run script) string {
	s := &session{t: t, c: c, broker: broker, key: r.ApiKey}
	for v := r.MinVersion; v <= r.MaxVersion; v++ {
		s.version = v
		before := s.out.Len()
		run(v, s)
		if s.out.Len() == before {
			t.Errorf("version %d is advertised and its script records nothing", v)
		}
	}
	return normalise(s.out.String())
}

// comparePeer prints where Kafka answers otherwise.
func comparePeer(t *testing.T, r kmsg.ApiVersionsResponseApiKey, run script) {
	n := goldenNode(t)
	defer n.stop()
	ours := play(t, n.client(), n.client(), r, run)
	dial := func() *client {
		conn, err := tcp.New().Dial(*peerKafka, time.Second, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return &client{t: t, conn: conn}
	}
	c := dial()
	deleteAllTopics(c)
	theirs := play(t, c, dial(), r, run)
	theirs = strings.ReplaceAll(theirs, "Port: 19092", "Port: 9092")
	if ours != theirs {
		t.Logf("- ours, + Kafka:\n%s", once(differences(ours, theirs)))
	}
}

// once leaves out what differs in a version as it did in the one before.
func once(diff string) string {
	var out strings.Builder
	seen := map[string]string{}
	all := sections(diff)
	for _, key := range all.order {
		_, what, _ := strings.Cut(strings.TrimPrefix(key, "== "), " ")
		text := strings.Join(all.text[key], "\n")
		if seen[what] != text {
			fmt.Fprintf(&out, "%s\n%s\n", key, text)
		}
		seen[what] = text
	}
	return out.String()
}

// settled waits until a topic that was created can be used: Kafka answers the
// creation before its broker knows.
func settled(c *client, topic string) {
	if *peerKafka == "" {
		return
	}
	for {
		meta := &kmsg.MetadataRequest{Version: 8, Topics: []kmsg.MetadataRequestTopic{{Topic: &topic}}}
		if topics := c.ask(meta).(*kmsg.MetadataResponse).Topics; topics[0].ErrorCode == 0 && topics[0].Partitions[0].ErrorCode == 0 {
			return
		}
	}
}

func deleteAllTopics(c *client) {
	meta := kmsg.NewPtrMetadataRequest()
	meta.Version = 12
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.Version, del.TimeoutMillis = 6, 10_000
	for _, t := range c.ask(meta).(*kmsg.MetadataResponse).Topics {
		if !t.IsInternal {
			d := kmsg.NewDeleteTopicsRequestTopic()
			d.Topic = t.Topic
			del.Topics = append(del.Topics, d)
		}
	}
	c.ask(del)
	for left := true; left; {
		left = false
		for _, t := range c.ask(meta).(*kmsg.MetadataResponse).Topics {
			left = left || !t.IsInternal
		}
	}
}

// differences lists the lines that only one text has, with the sections that they are in.
func differences(a, b string) string {
	left, right := sections(a), sections(b)
	var out strings.Builder
	for _, key := range left.order {
		lineDiff(&out, key, left.text[key], right.text[key])
	}
	for _, key := range right.order {
		if _, ok := left.text[key]; !ok {
			lineDiff(&out, key, nil, right.text[key])
		}
	}
	return out.String()
}

type sectioned struct {
	order []string
	text  map[string][]string
}

func sections(s string) sectioned {
	out := sectioned{text: map[string][]string{}}
	key := ""
	for line := range strings.Lines(s) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "== ") {
			key = line
			out.order = append(out.order, key)
			continue
		}
		out.text[key] = append(out.text[key], line)
	}
	return out
}

func lineDiff(out *strings.Builder, key string, a, b []string) {
	if slices.Equal(a, b) {
		return
	}
	fmt.Fprintln(out, key)
	// common[i][j] is the length of the longest common subsequence of a[i:] and b[j:].
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if common[i][j] = max(common[i+1][j], common[i][j+1]); a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			fmt.Fprintln(out, "  -", a[i])
			i++
		default:
			fmt.Fprintln(out, "  +", b[j])
			j++
		}
	}
}

// script makes the requests of one key at one version.
type script func(v int16, s *session)

// session is a script under way.
type session struct {
	t         *testing.T
	c, broker *client
	key       int16
	version   int16
	out       strings.Builder
	ready     bool
	vars      map[string]string
	ids       map[string]kafka.UUID
}

// do records an exchange.
func (s *session) do(what string, req kmsg.Request) kmsg.Response {
	s.t.Helper()
	if req.Key() != s.key {
		s.t.Fatalf("script of key %d records a request of key %d", s.key, req.Key())
	}
	req.SetVersion(s.version)
	fmt.Fprintf(&s.out, "== v%d %s\n", s.version, what)
	printMessage(&s.out, "> ", req)
	resp := s.c.ask(req)
	checkTags(s.t, resp)
	printMessage(&s.out, "< ", resp)
	return resp
}

// prepare asks the broker's listener without recording.
func (s *session) prepare(version int16, req kmsg.Request) kmsg.Response {
	s.t.Helper()
	req.SetVersion(version)
	return s.broker.ask(req)
}

// once says that it is the script's first version.
func (s *session) once() bool {
	first := !s.ready
	s.ready = true
	if s.ids == nil {
		s.ids, s.vars = map[string]kafka.UUID{}, map[string]string{}
	}
	return first
}
