package main

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestParseStart(t *testing.T) {
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	for text, want := range map[string]startPoint{
		"start": {fromStart, 0}, "earliest": {fromStart, 0}, "end": {fromEnd, 0}, "latest": {fromEnd, 0},
		"0": {fromOffset, 0}, "42": {fromOffset, 42}, "-3": {fromLast, 3},
		"@1700000000000":        {fromTime, 1700000000000},
		"@-1h":                  {fromTime, now.Add(-time.Hour).UnixMilli()},
		"@90m":                  {fromTime, now.Add(-90 * time.Minute).UnixMilli()},
		"@2026-01-02":           {fromTime, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC).UnixMilli()},
		"@2026-01-02T03:04:05":  {fromTime, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMilli()},
		"@2026-01-02T03:04:05Z": {fromTime, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMilli()},
	} {
		if got, err := parseStart(text, now); err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "@", "@x", "1.5", "99999999999999999999"} {
		if got, err := parseStart(text, now); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestFormat(t *testing.T) {
	record := &kgo.Record{
		Topic: "t", Partition: 3, Offset: 9, LeaderEpoch: 2, Key: nil, Value: []byte{},
		Timestamp: time.UnixMilli(1_700_000_000_123), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b"}},
	}
	for format, want := range map[string]string{
		`%t/%p/%o/%e`: "t/3/9/2", `%k(%K) %v(%V) %s(%S)`: "(-1) (0) (0)", `%T %d`: "1700000000123 2023-11-14T22:13:20.123Z",
		`%h`: "a=1,b=", `100%%\n\t\r\\`: "100%\n\t\r\\", ``: "", `%`: "%", `\`: `\`,
	} {
		parsed, err := parseFormat(format)
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		var got []byte
		for _, part := range parsed {
			got = part(got, record)
		}
		if string(got) != want {
			t.Errorf("%s: got %q, want %q", format, got, want)
		}
	}
}

func FuzzFormat(f *testing.F) {
	f.Add(`%t %p\n`)
	f.Fuzz(func(t *testing.T, format string) {
		parsed, err := parseFormat(format)
		if err != nil {
			return
		}
		for _, part := range parsed {
			part(nil, &kgo.Record{})
		}
	})
}

func TestRecordOfLine(t *testing.T) {
	for _, c := range []struct {
		p          producing
		line       string
		key, value string // "<nil>" for null
	}{
		{producing{}, "a:b", "<nil>", "a:b"},
		{producing{keySeparator: ":"}, "a:b:c", "a", "b:c"},
		{producing{keySeparator: ":"}, "abc", "<nil>", "abc"},
		{producing{keySeparator: ":"}, ":b", "", "b"},
		{producing{keySeparator: ":", null: "NULL"}, "k:NULL", "k", "<nil>"},
		{producing{keySeparator: ":", null: "NULL"}, "NULL:v", "<nil>", "v"},
		{producing{}, "", "<nil>", ""},
	} {
		r := c.p.record([]byte(c.line))
		if got := shown(r.Key) + "=" + shown(r.Value); got != c.key+"="+c.value {
			t.Errorf("%q: got %s", c.line, got)
		}
	}
}

func shown(b []byte) string {
	if b == nil {
		return "<nil>"
	}
	return string(b)
}

func TestRawBytes(t *testing.T) {
	for _, c := range []struct {
		in   rawBytes
		want string
	}{{nil, "null"}, {rawBytes{}, `""`}, {rawBytes("é\n"), `"é\n"`}, {rawBytes{0xff, 1}, `{"base64":"/wE="}`}} {
		var b strings.Builder
		if err := lineJSON(&b, c.in); err != nil || b.String() != c.want+"\n" {
			t.Errorf("got %s, %v, want %s", b.String(), err, c.want)
		}
	}
}
