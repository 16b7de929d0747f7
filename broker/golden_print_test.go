package broker_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
)

// printMessage prints a request or an answer field by field.
func printMessage(out io.Writer, prefix string, m any) {
	printFields(out, prefix, reflect.ValueOf(m).Elem())
}

func printFields(out io.Writer, prefix string, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Name == "Version" || f.Name == "UnknownTags" {
			continue
		}
		printValue(out, prefix, f.Name, v.Field(i))
	}
}

func printValue(out io.Writer, prefix, name string, v reflect.Value) {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Pointer:
		fmt.Fprintf(out, "%s%s: null\n", prefix, name)
	case v.Kind() == reflect.Struct:
		fmt.Fprintf(out, "%s%s:\n", prefix, name)
		printFields(out, prefix+"  ", v)
	case v.Kind() == reflect.Slice && v.IsNil():
		fmt.Fprintf(out, "%s%s: null\n", prefix, name)
	case name == "RecordBatches":
		fmt.Fprintf(out, "%s%s: %s\n", prefix, name, hex.EncodeToString(timeless(v.Bytes())))
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		fmt.Fprintf(out, "%s%s: %s\n", prefix, name, hex.EncodeToString(v.Bytes()))
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		fmt.Fprintf(out, "%s%s: %d\n", prefix, name, v.Len())
		for i := range v.Len() {
			fmt.Fprintf(out, "%s  - %d\n", prefix, i)
			printFields(out, prefix+"    ", v.Index(i))
		}
	case v.Kind() == reflect.Array && v.Len() == 16:
		fmt.Fprintf(out, "%s%s: uuid:%x\n", prefix, name, v.Interface())
	case v.Kind() == reflect.String:
		fmt.Fprintf(out, "%s%s: %q\n", prefix, name, v.String())
	case varies[name] && v.CanInt() && v.Int() > 0:
		fmt.Fprintf(out, "%s%s: <varies>\n", prefix, name)
	default:
		fmt.Fprintf(out, "%s%s: %v\n", prefix, name, v.Interface())
	}
}

// timeless is a copy of record batches without timestamps and checksums.
func timeless(raw []byte) []byte {
	out := bytes.Clone(raw)
	for rest := out; len(rest) >= batch.HeaderSize; {
		h, b, next, err := batch.Next(rest)
		if err != nil {
			break
		}
		if h.BaseTimestamp != 1_700_000_000_000 {
			clear(b[17:21]) // the checksum
			clear(b[27:43]) // base and maximal timestamp
		}
		rest = next
	}
	return out
}

// varies are fields whose positive values depend on the time or the machine.
var varies = map[string]bool{
	"FinalizedFeaturesEpoch": true, "SessionID": true, "LogAppendTime": true, "LogAppendTimeMillis": true,
	"TotalBytes": true, "UsableBytes": true, "LastFetchTimestamp": true, "LastCaughtUpTimestamp": true,
	"BrokerEpoch": true,
}

var (
	uuidPattern   = regexp.MustCompile(`uuid:[0-9a-f]{32}`)
	memberPattern = regexp.MustCompile(`-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"`)
	unusedUUID    = "uuid:" + strings.Repeat("0", 32)
)

// normalise gives the same names to what a run draws at random.
func normalise(s string) string {
	seen := map[string]string{}
	s = uuidPattern.ReplaceAllStringFunc(s, func(u string) string {
		if u == unusedUUID {
			return "uuid:0"
		}
		if seen[u] == "" {
			seen[u] = fmt.Sprintf("uuid#%d", len(seen)+1)
		}
		return seen[u]
	})
	return memberPattern.ReplaceAllString(s, `-<uuid>"`)
}

// checkTags fails for fields in versions of an answer that do not know them:
// kmsg writes and reads tagged fields at every flexible version, Kafka's
// clients refuse a tag that a version does not have.
func checkTags(t *testing.T, resp kmsg.Response) {
	t.Helper()
	switch r := resp.(type) {
	case *kmsg.ProduceResponse:
		for _, topic := range r.Topics {
			for _, p := range topic.Partitions {
				if r.Version < 10 && (p.CurrentLeader.LeaderID != -1 || p.CurrentLeader.LeaderEpoch != -1) {
					t.Errorf("Produce v%d carries the tag current_leader", r.Version)
				}
			}
		}
		if r.Version < 10 && len(r.Brokers) > 0 {
			t.Errorf("Produce v%d carries the tag node_endpoints", r.Version)
		}
	case *kmsg.FetchResponse:
		if r.Version < 16 && len(r.Brokers) > 0 {
			t.Errorf("Fetch v%d carries the tag node_endpoints", r.Version)
		}
	}
	checkUnknownTags(t, resp, reflect.ValueOf(resp).Elem())
}

func checkUnknownTags(t *testing.T, resp kmsg.Response, v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			checkUnknownTags(t, resp, v.Index(i))
		}
	case reflect.Struct:
		if tags, ok := v.Addr().Interface().(interface{ Len() int }); ok && tags.Len() > 0 {
			t.Errorf("%T v%d carries tags that it does not have", resp, resp.GetVersion())
		}
		for i := range v.NumField() {
			if f := v.Field(i); f.CanAddr() && v.Type().Field(i).IsExported() && (f.Kind() == reflect.Struct || f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct) {
				checkUnknownTags(t, resp, f)
			}
		}
	}
}
