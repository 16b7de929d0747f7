package dump

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/moldau/moldau/broker/kafka"
)

// object is what one line says, in order. A value is nil, a bool, an integer,
// a string, bytes, a kafka.UUID, an object, or a list of such.
type object []field

type field struct {
	name  string
	value any
}

// list is a sequence of values.
type list []any

// outBufferLen is how many bytes the output collects before it writes.
const outBufferLen = 64 << 10

// rawJSON is a value that is JSON already.
type rawJSON json.RawMessage

// printer writes lines. The first error of the writer is kept for flush.
type printer struct {
	w    *bufio.Writer
	json bool
	buf  []byte
}

func newPrinter(w io.Writer, f Format) *printer {
	return &printer{w: bufio.NewWriterSize(w, outBufferLen), json: f == JSON}
}

// line writes one line. kind leads it: in JSON as "type", in text as it is
// where it is not one of the usual lines.
func (p *printer) line(kind string, o object) {
	p.buf = p.buf[:0]
	if p.json {
		p.buf = appendJSON(p.buf, append(object{{"type", kind}}, o...))
	} else {
		switch kind {
		case "batch", "file", "entry":
		case "record":
			p.buf = append(p.buf, "| "...)
		default:
			p.buf = append(append(p.buf, kind...), ' ')
		}
		p.buf = appendFields(p.buf, o, " ")
	}
	// The writer remembers its first error, which flush returns.
	_, _ = p.w.Write(append(p.buf, '\n'))
}

func (p *printer) flush() error { return p.w.Flush() }

func appendFields(b []byte, o object, separator string) []byte {
	for i, f := range o {
		if i > 0 {
			b = append(b, separator...)
		}
		b = append(appendBytes(b, []byte(f.name)), ": "...)
		b = appendText(b, f.value)
	}
	return b
}

func appendText(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case object:
		return append(appendFields(append(b, '{'), v, ", "), '}')
	case list:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendText(b, e)
		}
		return append(b, ']')
	case []byte:
		return appendBytes(b, v)
	case string:
		return appendBytes(b, []byte(v))
	case rawJSON:
		return append(b, v...)
	}
	return fmt.Append(b, v)
}

// appendBytes shows text as it is, where nothing in it would blur a line or a
// terminal, and anything else in hex.
func appendBytes(b, v []byte) []byte {
	if !utf8.Valid(v) {
		return append(append(b, "0x"...), hex.EncodeToString(v)...)
	}
	for _, r := range string(v) {
		if !unicode.IsPrint(r) {
			return strconv.AppendQuote(b, string(v))
		}
	}
	return append(b, v...)
}

func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case object:
		b = append(b, '{')
		for i, f := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSONOther(b, f.name), ':')
			b = appendJSON(b, f.value)
		}
		return append(b, '}')
	case list:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, e)
		}
		return append(b, ']')
	case []byte:
		if !utf8.Valid(v) {
			return appendJSON(b, object{{"base64", base64.StdEncoding.EncodeToString(v)}})
		}
		return appendJSONOther(b, string(v))
	case kafka.UUID:
		return strconv.AppendQuote(b, v.String())
	case rawJSON:
		return append(b, v...)
	}
	return appendJSONOther(b, v)
}

// appendJSONOther takes nil, bools, numbers and strings, which always encode.
func appendJSONOther(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return strconv.AppendQuote(b, err.Error())
	}
	return append(b, text...)
}
