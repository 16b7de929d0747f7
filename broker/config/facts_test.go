package config

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

// factLines reads a file of facts without its comments.
func factLines(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var out []string
	for s := bufio.NewScanner(file); s.Scan(); {
		if !strings.HasPrefix(s.Text(), "# Settings") && !strings.HasPrefix(s.Text(), "# What") && !strings.HasPrefix(s.Text(), "# started") {
			out = append(out, s.Text())
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s holds no facts", path)
	}
	return out
}

// deviations are the settings whose default is not Kafka's, with the default.
// A new one belongs here, into the table with a reason, and into the docs.
var deviations = map[string]string{
	"broker broker.heartbeat.interval.ms":                     "50",
	"broker broker.session.timeout.ms":                        "300",
	"broker controller.listener.names":                        "CONTROLLER",
	"broker controller.quorum.election.timeout.ms":            "150",
	"broker default.replication.factor":                       "null",
	"broker listeners":                                        "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
	"broker log.dir":                                          "null",
	"broker log.dirs":                                         "./data",
	"broker min.insync.replicas":                              "null",
	"broker node.id":                                          "1",
	"broker offsets.topic.replication.factor":                 "null",
	"broker num.recovery.threads.per.data.dir":                "32",
	"broker offsets.load.buffer.size":                         "1048576",
	"broker socket.receive.buffer.bytes":                      "-1",
	"broker socket.send.buffer.bytes":                         "-1",
	"broker process.roles":                                    "broker,controller",
	"broker replica.lag.time.max.ms":                          "5000",
	"broker replica.socket.timeout.ms":                        "3000",
	"broker share.coordinator.state.topic.min.isr":            "null",
	"broker share.coordinator.state.topic.replication.factor": "null",
	"broker transaction.state.log.min.isr":                    "null",
	"broker transaction.state.log.replication.factor":         "null",
	"topic min.insync.replicas":                               "null",
}

// ours are the settings that Kafka's own tables do not have.
var ours = map[string]bool{
	"broker allow.everyone.if.no.acl.found": true, "broker super.users": true,
	"broker follower.replication.throttled.rate": true, "broker leader.replication.throttled.rate": true,
	"broker replica.alter.log.dirs.io.max.bytes.per.second": true,
}

// fixedHere need a restart here, not in Kafka.
var fixedHere = map[string]bool{
	"broker listeners": true, "broker listener.security.protocol.map": true, "broker num.recovery.threads.per.data.dir": true,
}

func TestTableIsKafkas(t *testing.T) {
	seen := map[string]bool{}
	for _, line := range factLines(t, "testdata/kafka-4.4.0.facts") {
		f := strings.Split(line, "|")
		key := f[0] + " " + f[1]
		seen[key] = true
		scope := ScopeBroker
		if f[0] == "topic" {
			scope = ScopeTopic
		}
		e := Lookup(scope, f[1])
		if e == nil {
			t.Errorf("%s is missing", key)
			continue
		}
		if e.Type.String() != f[2] || e.Importance.String() != f[4] || e.Internal != (f[7] == "internal") {
			t.Errorf("%s: got %s %s, want %s", key, e.Type, e.Importance, line)
		}
		compareDefault(t, key, e, f[2], f[3])
		if got := validText(e); got != kafkaValid(f[5]) {
			t.Errorf("%s: valid values %q, Kafka's %q", key, got, kafkaValid(f[5]))
		}
		if got := dynamicText(e.Dynamic); got != f[6] && !fixedHere[key] {
			t.Errorf("%s: dynamic %s, Kafka's %s", key, got, f[6])
		}
	}
	for _, scope := range []Scope{ScopeBroker, ScopeTopic} {
		for _, e := range Entries(scope) {
			key := scope.String() + " " + e.Name
			if !seen[key] && !ours[key] && !strings.HasPrefix(e.Name, "moldau.") {
				t.Errorf("%s is no setting of Kafka's: prefix it with moldau.", key)
			}
		}
	}
}

func compareDefault(t *testing.T, key string, e *Entry, kind, want string) {
	t.Helper()
	if kind == "LIST" {
		want = strings.ReplaceAll(strings.Trim(want, "[]"), ", ", ",")
	}
	if want == "<required>" {
		want = "null"
	}
	theirs := e.Default
	if e.Kafka != nil {
		theirs = *e.Kafka
	}
	if theirs.String() != want {
		t.Errorf("%s: Kafka's default noted as %q, want %q", key, theirs, want)
	}
	deviation, deviates := deviations[key]
	if deviates != (e.Kafka != nil) || deviates && (deviation != e.Default.String() || e.Reason == "") {
		t.Errorf("%s: default %q (reason %q), listed deviation %q", key, e.Default, e.Reason, deviation)
	}
}

func validText(e *Entry) string {
	if e.Valid == nil {
		return ""
	}
	return e.Valid.String()
}

// kafkaValid leaves out checks that every value passes, or that others make.
func kafkaValid(s string) string {
	if s == "non-null string" || s == "non-empty list" {
		return ""
	}
	return s
}

func dynamicText(d Dynamic) string { return [...]string{"Fixed", "PerBroker", "Cluster"}[d] }

func TestTableIsSound(t *testing.T) {
	for _, scope := range []Scope{ScopeBroker, ScopeTopic} {
		for _, e := range Entries(scope) {
			if e.Default.Set {
				if _, err := e.Parse(e.Default.Text); err != nil {
					t.Errorf("default: %v", err)
				}
			}
			if e.Doc == "" || strings.Contains(e.Doc, "\n") || !strings.HasSuffix(e.Doc, ".") {
				t.Errorf("%s: doc %q is no sentence", e.Name, e.Doc)
			}
			if (e.Support == Ignored) != (e.Why != "") || strings.HasSuffix(e.Why, ".") {
				t.Errorf("%s: ignored %v, because %q", e.Name, e.Support == Ignored, e.Why)
			}
			if (e.Type == Password) != e.Sensitive {
				t.Errorf("%s: type %s, sensitive %v", e.Name, e.Type, e.Sensitive)
			}
			for _, s := range e.Synonyms {
				b := Lookup(ScopeBroker, s.Name)
				if b == nil || b.Support != e.Support && e.Support == Served {
					t.Errorf("%s: synonym %s is missing, or not served as it is", e.Name, s.Name)
				}
			}
		}
	}
}

// A topic without settings has the same value by its own default and by the
// defaults of its broker settings.
func TestDefaultsAgreeWithSynonyms(t *testing.T) {
	for _, e := range Entries(ScopeTopic) {
		if len(e.Synonyms) == 0 {
			continue
		}
		last := e.Synonyms[len(e.Synonyms)-1]
		b := Lookup(ScopeBroker, last.Name)
		l := Layers{Static: Map{last.Name: b.Default.Text}}
		if !b.Default.Set {
			l.Static = nil
		}
		var none Layers
		if with, without := l.effective(e), none.effective(e); with.Text != without.Text || with.set != without.set {
			t.Errorf("%s: %q by %s, %q by itself", e.Name, with.Text, last.Name, without.Text)
		}
	}
}

// A node with Kafka's defaults answers DescribeConfigs as Kafka does.
func TestDescribeIsKafkas(t *testing.T) {
	static := Map{
		"process.roles": "broker,controller", "node.id": "1", "controller.quorum.voters": "1@127.0.0.1:39193",
		"listeners": "PLAINTEXT://127.0.0.1:39192,CONTROLLER://127.0.0.1:39193", "controller.listener.names": "CONTROLLER",
		"log.dirs": "/var/lib/kafka", "offsets.topic.replication.factor": "1", "log.retention.hours": "24", "message.max.bytes": "2000000",
	}
	var properties []Property
	for name, text := range static {
		properties = append(properties, Property{Name: name, Value: text})
	}
	b, _, err := Load(properties)
	if err != nil {
		t.Fatal(err)
	}
	l := Layers{Static: b.Static, DefaultBroker: Map{"min.insync.replicas": "1"}}
	topic := l
	topic.Topic = Map{"retention.ms": "60000"}
	got := map[string]string{}
	for _, d := range DescribeTopic(topic, nil) {
		got["topic "+d.Name] = describeText(d)
	}
	for _, d := range DescribeBroker(l, nil) {
		got["broker "+d.Name] = describeText(d)
	}
	resource := ""
	for _, line := range factLines(t, "testdata/describe-4.4.0.facts") {
		switch {
		case strings.HasPrefix(line, "# TOPIC"):
			resource = "topic "
			continue
		case strings.HasPrefix(line, "# BROKER"):
			resource = "broker "
			continue
		}
		name, _, _ := strings.Cut(line, "=")
		key := resource + name
		if _, deviates := deviations[key]; deviates || fixedHere[key] {
			continue
		}
		if e := Lookup(map[string]Scope{"topic ": ScopeTopic, "broker ": ScopeBroker}[resource], name); e != nil && e.Internal {
			continue
		}
		if got[key] != line {
			t.Errorf("%sgot  %s\nwant %s", resource, got[key], line)
		}
	}
}

func describeText(d Description) string {
	value := func(s string, null bool) string {
		if null {
			return "null"
		}
		return `"` + s + `"`
	}
	s := fmt.Sprintf("%s=%s source=%d ro=%v sens=%v type=%d", d.Name, value(d.Value, d.Null), d.Origin, d.ReadOnly, d.Sensitive, d.Type)
	for _, y := range d.Synonyms {
		s += fmt.Sprintf(" %s:%s@%d", y.Name, value(y.Value, y.Null), y.Origin)
	}
	return s
}
