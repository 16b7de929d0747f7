package metarecord

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/moldau/moldau/broker/kafka"
)

// testdata/records-4.4.0.txt holds every version of every record as Kafka
// 4.4.0 writes it, with the defaults and with all fields set, and as Kafka's
// JSON. It was made by testdata/RecordGoldens.java with the jars of
// org.apache.kafka:kafka_2.13:4.4.0:
//
//	javac -cp 'libs/*' -d out RecordGoldens.java && java -cp 'out:libs/*' RecordGoldens
func TestKafkaRecords(t *testing.T) {
	f, err := os.Open("testdata/records-4.4.0.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := make(map[string]int)
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		w := strings.SplitN(sc.Text(), " ", 4)
		seen[w[0]+" "+w[1]]++
		value, err := hex.DecodeString(w[2])
		if err != nil {
			t.Fatal(err)
		}
		r, version, err := DecodeVersion(value)
		if err != nil {
			t.Errorf("type %s version %s: %v", w[0], w[1], err)
			continue
		}
		if fmt.Sprint(int16(r.Type()), " ", version) != w[0]+" "+w[1] {
			t.Errorf("got %s version %d for %s %s", r.Type(), version, w[0], w[1])
		}
		if again := Encode(nil, r, version); !bytes.Equal(again, value) {
			t.Errorf("%s version %d\nencoded %x\nKafka's  %x", r.Type(), version, again, value)
		}
		d := json.NewDecoder(strings.NewReader(w[3]))
		d.UseNumber()
		var want map[string]any
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		compareJSON(t, fmt.Sprintf("%s v%d", r.Type(), version), reflect.ValueOf(r).Elem(), want)
	}
	versions := 0
	for n := range types {
		if Type(n).Known() {
			versions += int(Type(n).MaxVersion()) + 1
		}
	}
	if len(seen) != versions {
		t.Errorf("%d versions of records in the file, %d in the table", len(seen), versions)
	}
}

// compareJSON checks that every field that Kafka names has Kafka's value.
func compareJSON(t *testing.T, at string, v reflect.Value, want map[string]any) {
	for name, w := range want {
		f := v.FieldByNameFunc(func(n string) bool {
			return strings.EqualFold(n, name) || strings.EqualFold(n, strings.NewReplacer("zk", "Zk").Replace(name))
		})
		if !f.IsValid() {
			t.Errorf("%s: no field %s", at, name)
			continue
		}
		compareValue(t, at+"."+name, f, w)
	}
}

func compareValue(t *testing.T, at string, v reflect.Value, want any) {
	switch w := want.(type) {
	case nil:
		if !v.IsNil() {
			t.Errorf("%s: %v, want null", at, v)
		}
	case []any:
		if v.Len() != len(w) {
			t.Errorf("%s: %d elements, want %d", at, v.Len(), len(w))
			return
		}
		for i := range w {
			compareValue(t, at+"["+strconv.Itoa(i)+"]", v.Index(i), w[i])
		}
	case map[string]any:
		compareJSON(t, at, v, w)
	default:
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		got := fmt.Sprint(v.Interface())
		if b, ok := v.Interface().([]byte); ok {
			got = base64.StdEncoding.EncodeToString(b)
		}
		if f, ok := v.Interface().(float64); ok && f == math.Trunc(f) {
			got = fmt.Sprintf("%.1f", f)
		}
		if u, ok := v.Interface().(kafka.UUID); ok {
			got = u.String()
		}
		if got != fmt.Sprint(w) {
			t.Errorf("%s: %s, want %v", at, got, w)
		}
	}
}
