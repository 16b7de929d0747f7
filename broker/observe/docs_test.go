package observe

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/moldau/moldau/broker/event"
)

//go:generate go test -run TestDocsAreCurrent . -write-docs

var writeDocs = flag.Bool("write-docs", false, "write docs/metrics.md anew")

const docsHead = `# Metrics

Generated from a scrape of package broker/observe by ` + "`make docs`" + `; do not edit.

` + "`/metrics`" + ` at ` + "`moldau.http.listen`" + ` (127.0.0.1:9644) speaks Prometheus' text format. Names that begin with ` + "`kafka_`" + ` are those
under which the usual exporter shows Apache Kafka's own metrics, so that its dashboards work; what Kafka does not have begins with
` + "`moldau_`" + `. The Go runtime's ` + "`go_`" + ` and the process's ` + "`process_`" + ` metrics stand beside them. Labels come from the node's own tables.
A node with more than %d partitions shows sums in place of single partitions.

| metric | type | labels | meaning |
|---|---|---|---|
`

var labelNames = regexp.MustCompile(`([a-z_]+)="`)

// docs is docs/metrics.md: what a node shows that has something to show of everything.
func docs(scrape string) string {
	var b strings.Builder
	fmt.Fprintf(&b, docsHead, partitionsShownMax)
	name, help, kind := "", "", ""
	for line := range strings.Lines(scrape) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "# HELP "):
			name, help, _ = strings.Cut(strings.TrimPrefix(line, "# HELP "), " ")
		case strings.HasPrefix(line, "# TYPE "):
			kind = line[strings.LastIndexByte(line, ' ')+1:]
		case name != "": // the first sample shows the labels
			var labels []string
			for _, m := range labelNames.FindAllStringSubmatch(line, -1) {
				labels = append(labels, m[1])
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, kind, strings.Join(labels, ", "), help)
			name = ""
		}
	}
	return b.String()
}

func TestDocsAreCurrent(t *testing.T) {
	counter := NewCounter(event.Discard{})
	counter.Emit(happened("segment-rolled"))
	_, scrape := fetch(t, serve(t, Config{Source: sample(), Events: counter}), "/metrics")
	const path = "../../docs/metrics.md"
	want := docs(scrape)
	if *writeDocs {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/metrics.md is not what a scrape shows: run go generate ./broker/observe")
	}
}
