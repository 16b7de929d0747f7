package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// The cases of testdata/validate: one name=value a line.
func TestValidate(t *testing.T) {
	datadriven.RunTest(t, "testdata/validate", func(t *testing.T, d *datadriven.TestData) string {
		var out strings.Builder
		for _, line := range strings.Split(d.Input, "\n") {
			name, text, _ := strings.Cut(line, "=")
			var err error
			switch d.Cmd {
			case "topic":
				err = ValidateTopic(name, text)
			case "topic-change":
				err = ValidateTopicChange(name)
			case "broker", "brokers":
				err = ValidateBroker(name, text, d.Cmd == "brokers")
			default:
				t.Fatalf("unknown command %s", d.Cmd)
			}
			fmt.Fprintf(&out, "%s: %s\n", line, outcome(err))
		}
		return out.String()
	})
}

func outcome(err error) string {
	kinds := []error{ErrUnknown, ErrInvalid, ErrFixed}
	names := []string{"unknown", "invalid", "fixed"}
	for i, kind := range kinds {
		if errors.Is(err, kind) {
			return names[i] + ": " + err.Error()
		}
	}
	if err != nil {
		return "ERROR WITHOUT A KIND: " + err.Error()
	}
	return "ok"
}

func TestValidateTopicSet(t *testing.T) {
	bad := Layers{Topic: Map{"max.compaction.lag.ms": "5"}, Static: Map{"log.cleaner.min.compaction.lag.ms": "10"}}
	if err := ValidateTopicSet(bad); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if err := ValidateTopicSet(Layers{Topic: Map{"max.compaction.lag.ms": "5"}}); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestMerge(t *testing.T) {
	text := func(s string) *string { return &s }
	for _, c := range []struct {
		name    string
		current *string
		op      Op
		operand string
		want    string
	}{
		{"cleanup.policy", nil, OpSet, "compact", "compact"},
		{"cleanup.policy", nil, OpAppend, "compact", "delete,compact"},
		{"cleanup.policy", text("compact"), OpAppend, "delete, compact", "compact,delete"},
		{"cleanup.policy", text("compact,delete"), OpSubtract, "compact", "delete"},
		{"cleanup.policy", nil, OpSubtract, "delete", ""},
		{"cleanup.policy", nil, OpSubtract, "compact", "delete"},
		{"cleanup.policy", nil, OpAppend, "", "delete"},
		{"follower.replication.throttled.replicas", nil, OpAppend, "0:1,1:2", "0:1,1:2"},
		{"retention.ms", nil, OpAppend, "5", "error: retention.ms is no list: it can only be set or deleted"},
		{"nothing", nil, OpAppend, "5", `error: unknown topic setting "nothing"`},
		{"cleanup.policy", nil, 9, "5", "error: unknown operation 9 on cleanup.policy"},
	} {
		got, err := Merge(ScopeTopic, c.name, c.current, c.op, c.operand)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want {
			t.Errorf("%s %d %q: got %q, want %q", c.name, c.op, c.operand, got, c.want)
		}
	}
}
