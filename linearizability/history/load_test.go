package history_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/moldau/moldau/linearizability/history"
)

const (
	header = `{"header":{"format":"moldau-history","version":2,"seed":"18446744073709551615","epochMs":5,"skewMaxMs":0}}`
	topic  = `{"topic":{"id":"x","name":"t","partitions":2,"durability":"sync","retentionMs":-1,"retentionBytes":-1}}`
	fetch  = `{"op":{"id":1,"client":"c","node":1,"kind":"fetch","invoke":1,"return":2,"outcome":"ok","code":0,"topic":"x","partition":1,` +
		`"read":{"position":0,"leaderEpoch":1,"highWatermark":1,"lastStable":1,"logStart":0,"records":[{"o":0,"e":1,"v":"18446744073709551615","t":1,"p":-1,"pe":-1,"s":-1}]}}}`
)

func ending(lines int) string { return `{"end":{"at":9,"lines":` + string(rune('0'+lines)) + `}}` }

func load(lines ...string) (*history.History, error) {
	return history.Load(strings.NewReader(strings.Join(lines, "\n")+"\n"), history.Limits{})
}

func TestLoad(t *testing.T) {
	h, err := load(header, topic, fetch, `{"event":{"kind":"crash","at":3,"node":1,"partition":0}}`, ending(4))
	if err != nil {
		t.Fatal(err)
	}
	if h.Header.Seed != 1<<64-1 || h.Ops[0].Read.Records[0].Value != 1<<64-1 || h.End != 9 || h.Events[0].Kind != history.EventCrash {
		t.Fatalf("%+v", h)
	}
}

// TestLoadRefuses: each of these is an error that says what is wrong.
func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct {
		want  string
		lines []string
	}{
		{"line 1: the header is the first line", []string{topic, ending(1)}},
		{"line 2: the header is the first line", []string{header, header, ending(2)}},
		{"version 1, this reads", []string{strings.Replace(header, `"version":2`, `"version":1`, 1), ending(1)}},
		{"cut off", []string{header, topic}},
		{"counts 3 lines, there were 2", []string{header, topic, ending(3)}},
		{"a line after the end", []string{header, ending(1), topic}},
		{"2 members", []string{header, `{"topic":{"id":"x"},"end":{"at":1,"lines":1}}`}},
		{"0 members", []string{header, `{}`}},
		{`unknown field "colour"`, []string{header, `{"colour":1}`}},
		{"line 2: invalid character", []string{header, `nonsense`}},
		{"more than one object", []string{header, topic + topic}},
		{"there twice", []string{header, topic, fetch, fetch, ending(4)}},
		{"there twice", []string{header, topic, topic, ending(3)}},
		{"not declared", []string{header, fetch, ending(2)}},
		{"not declared", []string{header, topic, strings.Replace(fetch, `"partition":1`, `"partition":2`, 1), ending(3)}},
		{"durability", []string{header, strings.Replace(topic, "sync", "never", 1), ending(2)}},
		{"unknown kind", []string{header, topic, strings.Replace(fetch, `"kind":"fetch"`, `"kind":"guess"`, 1), ending(3)}},
		{"body of its kind is missing", []string{header, topic, strings.Replace(fetch, `"kind":"fetch"`, `"kind":"produce"`, 1), ending(3)}},
		{"invoked at 5, returned at 2", []string{header, topic, strings.Replace(fetch, `"invoke":1`, `"invoke":5`, 1), ending(3)}},
		{"ok without an answer", []string{header, topic, strings.Replace(fetch, `"return":2`, `"return":-1`, 1), ending(3)}},
		{"ok with error code 3", []string{header, topic, strings.Replace(fetch, `"code":0`, `"code":3`, 1), ending(3)}},
		{"after the end 9", []string{header, topic, strings.Replace(fetch, `"return":2`, `"return":10`, 1), ending(3)}},
		{"at offset -4", []string{header, topic, strings.Replace(fetch, `"o":0`, `"o":-4`, 1), ending(3)}},
		{"after which it may have happened", []string{header, topic, `{"op":{"id":1,"client":"c","node":1,"kind":"produce","invoke":1,"return":2,"outcome":"failed","code":7,"topic":"x","partition":1,"produce":{"acks":1,"records":[{"v":"1"}]}}}`, ending(3)}},
	} {
		if _, err := load(c.lines...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngot  %v\nwant %s", strings.Join(c.lines, "\n"), err, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	text := header + "\n" + topic + "\n" + ending(2) + "\n"
	for _, limits := range []history.Limits{{LineBytesMax: 50}, {LinesMax: 2}} {
		if _, err := history.Load(strings.NewReader(text), limits); !errors.Is(err, history.ErrLimit) {
			t.Errorf("%+v: %v", limits, err)
		}
	}
	if _, err := history.Load(strings.NewReader(header), history.Limits{}); !errors.Is(err, history.ErrCutOff) {
		t.Errorf("cut off: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriterErrors(t *testing.T) {
	w, err := history.NewWriter(failing{}, history.Header{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.End(1); err == nil {
		t.Fatal("an error of the file below was lost")
	}
	w, _ = history.NewWriter(&bytes.Buffer{}, history.Header{})
	if err := w.End(1); err != nil {
		t.Fatal(err)
	}
	if err := w.Event(history.Event{}); err == nil {
		t.Fatal("a line after the end was taken")
	}
}

// FuzzLoad: no input makes Load panic, and what it takes it writes and takes again.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(header + "\n" + topic + "\n" + fetch + "\n" + ending(3) + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := history.Load(bytes.NewReader(text), history.Limits{LineBytesMax: 1 << 16, LinesMax: 100})
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := history.Write(&again, h); err != nil {
			t.Fatal(err)
		}
		if _, err := history.Load(&again, history.Limits{}); err != nil {
			t.Fatal(err)
		}
	})
}
