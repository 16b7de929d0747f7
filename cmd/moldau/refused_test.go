package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moldau/moldau/broker/config"
)

// A start that is refused says why in one line, and leaves no directory behind.
func TestRefusedStarts(t *testing.T) {
	for _, c := range []struct{ setting, want string }{
		{"num.partitions=0", `invalid value "0" for num.partitions: want an int in [1,...]`},
		{"log.retention.hours=x", `invalid value "x" for log.retention.hours: want an int in [-2147483648,...,2147483647]`},
		{"moldau.durability=never", `invalid value "never" for moldau.durability: want [sync, os]`},
		{"authorizer.class.name=some.Authorizer", "authorizer.class.name asks for what this node does not have yet"},
		{"sasl.enabled.mechanisms=PLAIN", "sasl.enabled.mechanisms asks for what this node does not have yet"},
		{"ssl.keystore.location=/some.jks", "ssl.keystore.location asks for what this node does not have yet"},
		{"listeners=SSL://127.0.0.1:0,CONTROLLER://127.0.0.1:0", "asks for SSL, which this node does not have yet"},
		{"controller.quorum.voters=1@127.0.0.1:1,2@127.0.0.1:1", "voters 1 and 2 have one address, 127.0.0.1:1"},
		{"novalue", `invalid value "novalue" for --set: want name=value`},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		got := invoke(nil, "", "start", "--data", dir, "--http", "127.0.0.1:0", "--set", c.setting)
		lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		if !strings.HasPrefix(lines[0], "stderr: moldau: ") || !strings.Contains(lines[0], c.want) || !strings.HasPrefix(lines[len(lines)-1], "exit ") || len(lines) > 3 {
			t.Errorf("%s: got %s", c.setting, got)
		}
		if made, err := filepath.Glob(dir); err != nil || len(made) > 0 {
			t.Errorf("%s: %v was made, %v", c.setting, made, err)
		}
	}
}

// A directory of an Apache Kafka node is refused by name and left as it is.
func TestKafkasDirectoryIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"meta.properties": "version=1\ncluster.id=abc\nnode.id=1\ndirectory.id=i0MYpQqvRcWYIaZ4xIMnew\n",
		"__cluster_metadata-0/00000000000000000000.log": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := invoke(nil, "", "start", "--data", dir, "--listen", "127.0.0.1:0", "--controller-listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
	if !strings.Contains(got, dir+" holds a metadata log of Apache Kafka") || !strings.HasSuffix(got, "exit 1\n") {
		t.Errorf("got %s", got)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("the directory holds %v, %v", left, err)
	}
}

// kafkaProperties are the settings of the file that Apache Kafka 4.4 comes with.
const kafkaProperties = `process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
`

// The file that Apache Kafka comes with describes a node that stands alone.
func TestKafkasOwnProperties(t *testing.T) {
	properties, err := config.ParseProperties(strings.NewReader(kafkaProperties))
	if err != nil {
		t.Fatal(err)
	}
	b, report, err := config.Load(properties)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Join) > 0 || len(b.Voters) > 1 || !b.IsBroker || !b.IsController {
		t.Errorf("it is taken for a node of several: join %v, voters %v", b.Join, b.Voters)
	}
	for _, w := range report.Warnings {
		if strings.Contains(w, "unknown") {
			t.Error(w)
		}
	}
}

func TestLogFormats(t *testing.T) {
	for format, holds := range map[string]func(string) bool{
		"text": func(line string) bool { return strings.Contains(line, `level=INFO msg=stopping signal=x`) },
		"json": func(line string) bool {
			var got struct{ Level, Msg, Signal string }
			return json.Unmarshal([]byte(line), &got) == nil && got.Level == "INFO" && got.Msg == "stopping" && got.Signal == "x"
		},
	} {
		cfg, _, err := config.Load([]config.Property{{Name: "moldau.log.format", Value: format}, {Name: "moldau.log.level", Value: "INFO"}})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		logger := newLogger(&out, cfg)
		logger.Debug("not at this level")
		logger.Info("stopping", "signal", "x")
		if strings.Count(out.String(), "\n") != 1 || !holds(out.String()) {
			t.Errorf("%s: got %q", format, out.String())
		}
	}
}
