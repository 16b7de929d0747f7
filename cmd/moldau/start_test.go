package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/moldau/moldau/broker/config"
)

func TestStartProperties(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server.properties")
	if err := os.WriteFile(file, []byte("node.id=5\nlog.dirs=/file\nnum.partitions=4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &app{}
	s := starting{
		config: file, data: "/flag", nodeID: 7, http: "127.0.0.1:0", listen: ":9999", advertise: "example.org:30000",
		controllerListen: "127.0.0.1:9998", set: []string{"num.partitions=6", "compression.type=zstd"},
	}
	properties, err := a.startProperties(&s)
	if err != nil {
		t.Fatal(err)
	}
	b, report, err := config.Load(properties)
	if err != nil {
		t.Fatal(err)
	}
	if b.NodeID != 7 || b.LogDirs[0] != "/flag" || b.NumPartitions != 6 || b.HTTPListen != "127.0.0.1:0" || len(report.Warnings) != 0 {
		t.Errorf("got %+v, %v", b, report)
	}
	if b.ClientListeners()[0].Address() != ":9999" || b.ControllerListeners()[0].Address() != "127.0.0.1:9998" || b.Advertised[0].Address() != "example.org:30000" {
		t.Errorf("got %v, advertised %v", b.Listeners, b.Advertised)
	}
}

func TestStartOfClusterNodes(t *testing.T) {
	for _, c := range []struct {
		s          starting
		controller bool
	}{
		{starting{nodeID: -1}, true},
		{starting{nodeID: -1, listen: "h:1"}, true},
		{starting{nodeID: -1, controllerListen: "h:1"}, true},
		{starting{nodeID: 2, listen: "h2:1", controllerListen: "h2:2", voters: "1@h1:2,2@h2:2,3@h3:2"}, true},
		{starting{nodeID: 4, listen: "h4:1", voters: "1@h1:2,2@h2:2,3@h3:2"}, false},
		{starting{nodeID: 4, listen: "h4:1", join: "h1:2"}, false},
	} {
		properties, err := (&app{}).startProperties(&c.s)
		if err != nil {
			t.Fatal(err)
		}
		b, _, err := config.Load(properties)
		if err != nil || b.IsController != c.controller || !b.IsBroker || (len(b.ControllerListeners()) > 0) != c.controller {
			t.Errorf("%+v: got %+v, %v", c.s, b, err)
		}
	}
}

func TestReadyLine(t *testing.T) {
	for _, c := range []struct {
		bound addresses
		hints bool
		want  string
	}{
		{addresses{"127.0.0.1:9092", "127.0.0.1:9093", "127.0.0.1:9644"}, false,
			"ready node=1 kafka=127.0.0.1:9092 controller=127.0.0.1:9093 http=127.0.0.1:9644 data=./data\n"},
		{addresses{"127.0.0.1:9092", "127.0.0.1:9093", ""}, true,
			"ready node=1 kafka=127.0.0.1:9092 controller=127.0.0.1:9093 data=./data\n" +
				"  bin/moldau topic create greetings -p 3\n  echo hello | bin/moldau produce greetings\n  bin/moldau consume greetings -n 1\n"},
		{addresses{"127.0.0.1:40001,127.0.0.1:40002", "", ""}, true,
			"ready node=1 kafka=127.0.0.1:40001,127.0.0.1:40002 data=./data\n" +
				"  bin/moldau topic create greetings -p 3 -b 127.0.0.1:40001\n  echo hello | bin/moldau produce greetings -b 127.0.0.1:40001\n  bin/moldau consume greetings -n 1 -b 127.0.0.1:40001\n"},
	} {
		var out bytes.Buffer
		(&app{out: &out}).ready(config.Default(), c.bound, c.hints)
		if out.String() != c.want {
			t.Errorf("got\n%swant\n%s", out.String(), c.want)
		}
	}
}
