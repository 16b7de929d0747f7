package dump

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moldau/moldau/disk/osfs"
)

var rewrite = flag.Bool("rewrite", false, "write the golden dumps anew")

// kafkaFiles are the files that Apache Kafka wrote (testdata/README.md).
func kafkaFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir("testdata/kafka", func(p string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && filepath.Ext(p) != ".java" {
			files = append(files, p)
		}
		return err
	})
	if err != nil || len(files) < 30 {
		t.Fatal(len(files), "files", err)
	}
	return files
}

func goldenName(file string, format Format) string {
	name := strings.ReplaceAll(strings.TrimPrefix(file, "testdata/kafka/"), "/", "~")
	return filepath.Join("testdata", "golden", name+"."+string(format))
}

// TestKafkaFiles dumps every file of a real Kafka node's directory.
func TestKafkaFiles(t *testing.T) {
	for _, file := range kafkaFiles(t) {
		for _, format := range []Format{Text, JSON} {
			var out bytes.Buffer
			if err := File(&out, osfs.New(), file, Options{Format: format}); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			golden := goldenName(file, format)
			if *rewrite {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, out.Bytes()) {
				t.Errorf("%s differs from %s (go test -rewrite, and read the difference):\n%s", file, golden, out.String())
			}
		}
	}
}

func TestUnknownFile(t *testing.T) {
	err := File(new(bytes.Buffer), osfs.New(), "testdata/kafka/Feed.java", Options{})
	if !errors.Is(err, ErrUnknownFile) {
		t.Fatal(err)
	}
	if err := File(new(bytes.Buffer), osfs.New(), "testdata/kafka/meta.properties", Options{Format: "xml"}); err == nil {
		t.Fatal("took a format that does not exist")
	}
}
