package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// formatHelp lists the verbs of consume --output.
const formatHelp = `verbs: %t topic, %p partition, %o offset, %k key, %v value, %K and %V their
lengths (-1 for null), %h headers, %T timestamp in ms, %d timestamp as a date,
%e leader epoch, %% a percent sign; \n, \t, \r and \\ as usual`

// recordFormat writes records as -f says.
type recordFormat []func(b []byte, r *kgo.Record) []byte

func parseFormat(s string) (recordFormat, error) {
	var out recordFormat
	literal := []byte{}
	flush := func() {
		if len(literal) > 0 {
			text := string(literal)
			out = append(out, func(b []byte, _ *kgo.Record) []byte { return append(b, text...) })
			literal = literal[:0]
		}
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '%' && s[i] != '\\' || i+1 == len(s) {
			literal = append(literal, s[i])
			continue
		}
		i++
		if s[i-1] == '\\' {
			at := strings.IndexByte("ntr\\", s[i])
			if at < 0 {
				return nil, fmt.Errorf(`invalid escape \%c in --output: want \n, \t, \r or \\`, s[i])
			}
			literal = append(literal, "\n\t\r\\"[at])
			continue
		}
		if s[i] == '%' {
			literal = append(literal, '%')
			continue
		}
		verb := formatVerb(s[i])
		if verb == nil {
			return nil, fmt.Errorf("invalid verb %%%c in --output; %s", s[i], strings.Join(strings.Fields(formatHelp), " "))
		}
		flush()
		out = append(out, verb)
	}
	flush()
	return out, nil
}

func formatVerb(c byte) func(b []byte, r *kgo.Record) []byte {
	switch c {
	case 't':
		return func(b []byte, r *kgo.Record) []byte { return append(b, r.Topic...) }
	case 'p':
		return func(b []byte, r *kgo.Record) []byte { return strconv.AppendInt(b, int64(r.Partition), 10) }
	case 'o':
		return func(b []byte, r *kgo.Record) []byte { return strconv.AppendInt(b, r.Offset, 10) }
	case 'k':
		return func(b []byte, r *kgo.Record) []byte { return append(b, r.Key...) }
	case 'v', 's':
		return func(b []byte, r *kgo.Record) []byte { return append(b, r.Value...) }
	case 'K':
		return func(b []byte, r *kgo.Record) []byte { return appendLen(b, r.Key) }
	case 'V', 'S':
		return func(b []byte, r *kgo.Record) []byte { return appendLen(b, r.Value) }
	case 'T':
		return func(b []byte, r *kgo.Record) []byte { return strconv.AppendInt(b, r.Timestamp.UnixMilli(), 10) }
	case 'd':
		return func(b []byte, r *kgo.Record) []byte {
			return r.Timestamp.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
		}
	case 'e':
		return func(b []byte, r *kgo.Record) []byte { return strconv.AppendInt(b, int64(r.LeaderEpoch), 10) }
	case 'h':
		return appendHeaders
	}
	return nil
}

func appendLen(b, field []byte) []byte {
	if field == nil {
		return append(b, "-1"...)
	}
	return strconv.AppendInt(b, int64(len(field)), 10)
}

func appendHeaders(b []byte, r *kgo.Record) []byte {
	for i, h := range r.Headers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, h.Key...), '='), h.Value...)
	}
	return b
}

// consumed is a record in JSON.
type consumed struct {
	Topic         string         `json:"topic"`
	Partition     int32          `json:"partition"`
	Offset        int64          `json:"offset"`
	LeaderEpoch   int32          `json:"leaderEpoch"`
	Timestamp     int64          `json:"timestamp"`
	TimestampType string         `json:"timestampType"`
	Headers       []recordHeader `json:"headers"`
	Key           rawBytes       `json:"key"`
	Value         rawBytes       `json:"value"`
}

type recordHeader struct {
	Key   string   `json:"key"`
	Value rawBytes `json:"value"`
}

func newConsumed(r *kgo.Record) consumed {
	c := consumed{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, LeaderEpoch: r.LeaderEpoch,
		Timestamp: r.Timestamp.UnixMilli(), TimestampType: "CreateTime", Headers: []recordHeader{}, Key: r.Key, Value: r.Value,
	}
	if r.Attrs.TimestampType() == 1 {
		c.TimestampType = "LogAppendTime"
	}
	for _, h := range r.Headers {
		c.Headers = append(c.Headers, recordHeader{h.Key, h.Value})
	}
	return c
}

// printer writes one record.
type printer func(w io.Writer, r *kgo.Record) error

// startPoint is where consumption begins.
type startPoint struct {
	kind  startKind
	value int64 // an offset, a number of records, or milliseconds
}

type startKind int

const (
	fromStart startKind = iota
	fromEnd
	fromOffset
	fromLast // the last value records of each partition
	fromTime
)

// parseStart reads -o.
func parseStart(s string, now time.Time) (startPoint, error) {
	switch {
	case s == "start" || s == "beginning" || s == "earliest":
		return startPoint{kind: fromStart}, nil
	case s == "end" || s == "latest":
		return startPoint{kind: fromEnd}, nil
	case strings.HasPrefix(s, "@"):
		ms, err := timestamp(s[1:], now)
		return startPoint{fromTime, ms}, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil:
		return startPoint{}, fmt.Errorf("invalid value %q for --offset: want start, end, an offset, -N (the last N of each partition) or @time", s)
	case n < 0:
		return startPoint{fromLast, -n}, nil
	}
	return startPoint{fromOffset, n}, nil
}

// option is the point for the client library.
func (p startPoint) option() kgo.Offset {
	o := kgo.NewOffset()
	switch p.kind {
	case fromEnd:
		return o.AtEnd()
	case fromOffset:
		return o.At(p.value)
	case fromLast:
		return o.AtEnd().Relative(-p.value)
	case fromTime:
		return o.AfterMilli(p.value)
	}
	return o.AtStart()
}

// timestamp reads milliseconds since the epoch, a date, or a duration before now.
func timestamp(s string, now time.Time) (int64, error) {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && ms >= 0 {
		return ms, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		if d > 0 {
			d = -d
		}
		return now.Add(d).UnixMilli(), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("invalid time %q: want milliseconds, 2006-01-02T15:04:05, or a duration such as -1h", s)
}
