package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// invoke runs a command line and returns its streams and exit status as text.
func invoke(env map[string]string, stdin string, args ...string) string {
	var out, errs bytes.Buffer
	status := run(args, strings.NewReader(stdin), &out, &errs, func(name string) string { return env[name] })
	text := out.String()
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "⏎\n"
	}
	for _, line := range strings.Split(strings.TrimSuffix(errs.String(), "\n"), "\n") {
		if line != "" {
			text += "stderr: " + line + "\n"
		}
	}
	if status != 0 {
		text += fmt.Sprintf("exit %d\n", status)
	}
	return text
}

// scrubs replace what differs from run to run.
var scrubs = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDR"},
	{regexp.MustCompile(`"port": \d+`), `"port": PORT`},
	{regexp.MustCompile(`\b1[789]\d{11}\b`), "MILLIS"},
	{regexp.MustCompile(`20\d\d-\d\d-\d\dT[0-9:.]+Z`), "DATE"},
	{regexp.MustCompile(`(id |"topicId": ")[A-Za-z0-9_-]{22}`), "${1}ID"},
	{regexp.MustCompile(`moldau-[0-9a-zA-Z_-]{8,}`), "MEMBER"},
}

func scrub(s string) string {
	for _, r := range scrubs {
		s = r.pattern.ReplaceAllString(s, r.with)
	}
	return s
}

// split is the little of a shell that the cases need: blanks, single quotes.
func split(line string) []string {
	var out []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}

// The cases of testdata/cli: the first line is the command line, the others
// are its standard input. Each file has a cluster of its own.
func TestCommandLine(t *testing.T) {
	datadriven.Walk(t, "testdata/cli", func(t *testing.T, path string) {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ClusterID("kfake-cluster"),
			kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
		if err != nil {
			t.Fatal(err)
		}
		defer cluster.Close()
		env := map[string]string{"MOLDAU_BROKERS": strings.Join(cluster.ListenAddrs(), ",")}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			line, stdin, _ := strings.Cut(d.Input, "\n")
			if stdin != "" {
				stdin += "\n"
			}
			return scrub(invoke(env, stdin, split(line)...))
		})
	})
}
