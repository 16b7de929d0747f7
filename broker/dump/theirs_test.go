package dump

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moldau/moldau/disk/osfs"
)

// TestWordsOfKafkasTool compares our dumps with those that Kafka's own tool
// made of the same files, line by line. Ours say null where Kafka's leaves a
// key or payload out, and separate header keys by a blank too.
func TestWordsOfKafkasTool(t *testing.T) {
	files, err := filepath.Glob("testdata/theirs/*.text")
	if err != nil || len(files) != 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		theirs, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".text"), "~", "/")
		var ours bytes.Buffer
		if err := File(&ours, osfs.New(), "testdata/kafka/"+name, Options{}); err != nil {
			t.Fatal(err)
		}
		got, want := strings.Split(ours.String(), "\n"), strings.Split(string(theirs), "\n")
		if len(got) != len(want) {
			t.Fatalf("%s: %d lines, Kafka's tool %d", name, len(got), len(want))
		}
		for i := range got[1:] {
			g := strings.NewReplacer(" key: null", "", " payload: null", "", ", ", ",").Replace(got[i+1])
			w := strings.ReplaceAll(want[i+1], "OptionalLong.empty", "null")
			if g != w {
				t.Errorf("%s:\nours   %s\ntheirs %s", name, g, w)
			}
		}
	}
}
