package main

import (
	"strings"
	"testing"
)

// A wrong use says in one sentence what is wanted, and how nothing is parsed.
func TestWrongUse(t *testing.T) {
	for line, want := range map[string]string{
		"start --node-id x":                   `invalid value "x" for --node-id: want a whole number`,
		"start --node-id -5":                  `invalid value "-5" for --node-id: want at least 0`,
		"start more":                          "moldau start takes no arguments",
		"topic create":                        "wrong number of arguments: want moldau topic create TOPIC...",
		"topic list --timeout x":              `invalid value "x" for --timeout: want a duration such as 10s or 500ms`,
		"topic list --timeout 0s":             `invalid value "0s" for --timeout: want more than 0`,
		"topic list -b a:b:c":                 `invalid value "a:b:c" for --brokers: want host:port`,
		"topic elect --unclean=maybe":         `invalid value "maybe" for --unclean: want true or false`,
		"topic create t -p many":              `invalid value "many" for --partitions: want a whole number`,
		"produce":                             "wrong number of arguments: want moldau produce TOPIC",
		"produce t -p -7":                     `invalid value "-7" for --partition: want -1 or a partition`,
		"consume t -n -1":                     `invalid value "-1" for --num: want at least 0`,
		"consume t -p x":                      `invalid value "x" for --partition: want whole numbers, separated by commas`,
		"group describe":                      "wrong number of arguments: want moldau group describe GROUP...",
		"config alter topic t retention.ms=7": "wrong number of arguments: want moldau config alter topic NAME | broker [ID]",
		"cluster more":                        `unknown command "more" for "moldau cluster"`,
		"cluster status more":                 "moldau cluster status takes no arguments",
		"version more":                        "moldau version takes no arguments",
		"dump":                                "wrong number of arguments: want moldau dump FILE...",
		"bogus":                               `unknown command "bogus" for "moldau"`,
		"topic bogus":                         `unknown command "bogus" for "moldau topic"`,
		"topic list --bogus":                  "unknown flag: --bogus",
	} {
		got := invoke(nil, "", strings.Fields(line)...)
		if !strings.HasPrefix(got, "stderr: moldau: "+want) || !strings.HasSuffix(got, "exit 2\n") || strings.Contains(got, "strconv") {
			t.Errorf("%s: got %s", line, got)
		}
	}
}

func TestDumpOfADirectory(t *testing.T) {
	if got := invoke(nil, "", "dump", t.TempDir()); !strings.Contains(got, "is a directory: want the files in it") || !strings.HasSuffix(got, "exit 1\n") {
		t.Errorf("got %s", got)
	}
}
