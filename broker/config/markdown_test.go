package config

import (
	"flag"
	"os"
	"testing"
)

var writeDocs = flag.Bool("write-docs", false, "write docs/configuration.md anew")

func TestDocsAreCurrent(t *testing.T) {
	const path = "../../docs/configuration.md"
	if *writeDocs {
		if err := os.WriteFile(path, []byte(Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Markdown() {
		t.Error("docs/configuration.md is not what the table says: run go generate ./broker/config")
	}
}
