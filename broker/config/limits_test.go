package config

import (
	"math"
	"strings"
	"testing"
)

func TestConnectionLimits(t *testing.T) {
	b, report, err := Load([]Property{
		{Name: "max.connections", Value: "100"}, {Name: "max.connections.per.ip", Value: "5"},
		{Name: "max.connections.per.ip.overrides", Value: "10.0.0.1:7, [::1]:9,fe80::2:3,somewhere:4"},
		{Name: "listener.name.plaintext.max.connections", Value: "40"}, {Name: "max.connection.creation.rate", Value: "77"},
		{Name: "listener.name.plaintext.max.connection.creation.rate", Value: "6"}, {Name: "listener.name.other.max.connection.creation.rate", Value: "3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Ignored) != 0 || len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "somewhere") {
		t.Errorf("without an effect: %v, warned of %v", report.Ignored, report.Warnings)
	}
	c := ResolveConnectionLimits(b.Layers())
	if c.Node != 100 || c.Rate != 77 || c.Host("10.0.0.1") != 7 || c.Host("::1") != 9 || c.Host("fe80::2") != 3 || c.Host("10.0.0.2") != 5 {
		t.Errorf("got %+v", c)
	}
	if b.Listener("PLAINTEXT") != (ListenerLimits{40, 6}) || b.Listener("OTHER") != (ListenerLimits{math.MaxInt32, 3}) || b.Listener("NONE") != unlimited() {
		t.Errorf("listeners: %v", b.ListenerLimits)
	}
	if c := ResolveConnectionLimits(Default().Layers()); c.Node != math.MaxInt32 || c.Rate != math.MaxInt32 || c.Host("10.0.0.1") != math.MaxInt32 {
		t.Errorf("the default is %+v", c)
	}
	for _, wrong := range []string{"10.0.0.1", "10.0.0.1:x", "10.0.0.1:-1", ":3"} {
		if _, _, err := Load([]Property{{Name: "max.connections.per.ip.overrides", Value: wrong}}); err == nil || !strings.Contains(err.Error(), "address:count") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
