package dump

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// textBytesMax bounds the small text files of a log directory.
const textBytesMax = 64 << 20

// checkpoint dumps Kafka's checkpoint text: a version line, a line with the
// number of entries, and the entries.
func (d *file) checkpoint(entry func(words []string) object) error {
	b, err := d.whole(textBytesMax)
	if err != nil {
		return err
	}
	lines := strings.SplitAfter(string(b), "\n")
	at, count, seen := int64(0), -1, 0
	for n, line := range lines {
		words := strings.Fields(line)
		switch {
		case n == 0 && len(b) > 0:
			if line != "0\n" {
				d.corrupt(at, nil, "line 1: version %q, known is 0", line)
			}
		case n == 1:
			if count, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
				count = -1
				d.corrupt(at, nil, "line 2: %q is no count", line)
			}
		case len(words) > 0:
			seen++
			if o := entry(words); o != nil {
				d.out.line("entry", o)
			} else {
				d.corrupt(at, nil, "line %d: %q", n+1, line)
			}
		}
		at += int64(len(line))
	}
	if len(b) > 0 && count != seen {
		d.corrupt(at, nil, "%d entries where line 2 says %d", seen, count)
	}
	return nil
}

func (d *file) leaderEpochs() error {
	return d.checkpoint(func(w []string) object {
		if len(w) != 2 {
			return nil
		}
		epoch, err1 := strconv.ParseInt(w[0], 10, 32)
		start, err2 := strconv.ParseInt(w[1], 10, 64)
		if err1 != nil || err2 != nil {
			return nil
		}
		return object{{"leaderEpoch", epoch}, {"startOffset", start}}
	})
}

func (d *file) offsets() error {
	return d.checkpoint(func(w []string) object {
		if len(w) != 3 {
			return nil
		}
		partition, err1 := strconv.ParseInt(w[1], 10, 32)
		offset, err2 := strconv.ParseInt(w[2], 10, 64)
		if err1 != nil || err2 != nil {
			return nil
		}
		return object{{"topic", w[0]}, {"partition", partition}, {"offset", offset}}
	})
}

// properties dumps a file of name=value or "name: value" lines.
func (d *file) properties() error {
	b, err := d.whole(textBytesMax)
	if err != nil {
		return err
	}
	at := int64(0)
	for n, line := range strings.SplitAfter(string(b), "\n") {
		text := strings.TrimSpace(line)
		if text != "" && text[0] != '#' {
			if i := strings.IndexAny(text, "=:"); i > 0 {
				d.out.line("entry", object{{strings.TrimSpace(text[:i]), strings.TrimSpace(text[i+1:])}})
			} else {
				d.corrupt(at, nil, "line %d: %q", n+1, line)
			}
		}
		at += int64(len(line))
	}
	return nil
}

// jsonFile dumps one of the small JSON files, its fields in their order.
func (d *file) jsonFile() error {
	b, err := d.whole(textBytesMax)
	if err != nil {
		return err
	}
	return d.jsonText(0, string(b))
}

// jsonText dumps the JSON object that begins at a position.
func (d *file) jsonText(at int64, text string) error {
	dec := json.NewDecoder(strings.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		d.corrupt(at, nil, "no JSON object: %v", err)
		return nil
	}
	var o object
	for dec.More() {
		name, err := dec.Token()
		if err == nil {
			var v json.RawMessage
			if err = dec.Decode(&v); err == nil {
				o = append(o, field{fmt.Sprint(name), compact(v)})
			}
		}
		if err != nil {
			d.corrupt(at+dec.InputOffset(), nil, "%v", err)
			break
		}
	}
	d.out.line("entry", o)
	return nil
}

// compact is valid JSON without its white space.
func compact(v json.RawMessage) rawJSON {
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return rawJSON("null")
	}
	return b.Bytes()
}
