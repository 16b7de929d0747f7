package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/moldau/moldau/internal/peer"
	"github.com/moldau/moldau/tests/node"
)

func kcat(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(within(t), peer.Program(t, "kcat"), args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("kcat %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}

func TestKcatEveryCodec(t *testing.T) { everywhere(t, kcatEveryCodec) }

func kcatEveryCodec(t *testing.T, n *node.Node, _ int) {
	peer.Program(t, "kcat")
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(codec, func(t *testing.T) {
			topic := "kcat-" + codec
			var in, want strings.Builder
			for i := range 200 {
				fmt.Fprintf(&in, "k%d:%s\n", i, strings.Repeat(fmt.Sprintf("v%d ", i), 1+i%40))
				fmt.Fprintf(&want, "k%d:%s|h=%s|%d\n", i, strings.Repeat(fmt.Sprintf("v%d ", i), 1+i%40), codec, i)
			}
			kcat(t, in.String(), "-P", "-b", n.Kafka, "-t", topic, "-K", ":", "-H", "h="+codec, "-z", codec)
			got := kcat(t, "", "-C", "-b", n.Kafka, "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%k:%s|%h|%o\n")
			if got != want.String() {
				t.Errorf("read back %d bytes, want %d:\n%.300s", len(got), want.Len(), got)
			}
		})
	}
}

func TestKcatGroupAndMetadata(t *testing.T) { everywhere(t, kcatGroupAndMetadata) }

func kcatGroupAndMetadata(t *testing.T, n *node.Node, nodes int) {
	peer.Program(t, "kcat")
	kcat(t, "a\nb\nc\n", "-P", "-b", n.Kafka, "-t", "kg")
	got := kcat(t, "", "-b", n.Kafka, "-G", "kgroup", "-q", "-c", "3", "-X", "auto.offset.reset=earliest", "kg")
	if got != "a\nb\nc\n" {
		t.Errorf("the group read %q", got)
	}
	var meta struct {
		Brokers []struct{ ID int } `json:"brokers"`
		Topics  []struct {
			Topic      string `json:"topic"`
			Partitions []struct {
				Leader int `json:"leader"`
			} `json:"partitions"`
		} `json:"topics"`
	}
	if err := json.Unmarshal([]byte(kcat(t, "", "-b", n.Kafka, "-L", "-J", "-t", "kg")), &meta); err != nil {
		t.Fatal(err)
	}
	if len(meta.Brokers) != nodes || len(meta.Topics) != 1 || meta.Topics[0].Partitions[0].Leader < 1 {
		t.Errorf("metadata: %+v", meta)
	}
	// Offsets by time: the end is three.
	if got := kcat(t, "", "-b", n.Kafka, "-Q", "-t", "kg:0:-1"); !strings.Contains(got, "offset 3") {
		t.Errorf("latest offset: %q", got)
	}
}
