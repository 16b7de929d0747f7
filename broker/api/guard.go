package api

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/moldau/moldau/broker/kafka"
)

const (
	// requestElementsMax bounds the array elements of one request, over all of
	// its arrays: some 200,000 partitions in a Fetch fit.
	requestElementsMax = 500_000
	// otherRequestBytesMax bounds requests other than Produce.
	otherRequestBytesMax = 16 << 20
)

// guard finds the shape of each request and walks bodies by it before they
// are decoded: every count must be covered by bytes that are really there, so
// that decoding never allocates for what a length field merely claims.
type guard struct {
	byKey map[int16][]layout
}

func newGuard() *guard {
	g := &guard{byKey: make(map[int16][]layout)}
	for _, l := range layouts {
		g.byKey[l.key] = append(g.byKey[l.key], l)
	}
	return g
}

// errMalformed is a body that does not have the shape of its key and version.
type errMalformed struct{ text string }

func (e errMalformed) Error() string { return e.text }

// check walks body and counts its array elements and tagged fields. The error
// is for the log: the connection is closed, as nothing of such a stream can be
// trusted. Bytes after the body are ignored, as Kafka does: librdkafka's request
// for the metadata of all topics ends in three that belong to no field.
func (g *guard) check(key, version int16, body []byte) (elements int, err error) {
	if len(body) > otherRequestBytesMax {
		return 0, errMalformed{fmt.Sprintf("a request of %d bytes; all but Produce are bounded by %d", len(body), otherRequestBytesMax)}
	}
	for _, l := range g.byKey[key] {
		if version < l.from || version > l.to {
			continue
		}
		w := walker{r: newReader(body, l.flexible)}
		w.walk(l.shape)
		switch {
		case w.elements > requestElementsMax:
			return 0, errMalformed{fmt.Sprintf("more than %d array elements in one request", requestElementsMax)}
		case w.r.Bad():
			return 0, errMalformed{fmt.Sprintf("body of %d bytes is malformed or cut short", len(body))}
		}
		return w.elements, nil
	}
	return 0, errMalformed{fmt.Sprintf("version %d is not served", version)}
}

// walker follows a shape through a body. It recurses only as deep as the
// shape does.
type walker struct {
	r        reader
	elements int
}

// walk consumes one structure of the given shape.
func (w *walker) walk(shape string) {
	for len(shape) > 0 && !w.r.Bad() {
		kind := shape[0]
		shape = shape[1:]
		switch kind {
		case 'b':
			w.r.Take(1)
		case 'h':
			w.r.Take(2)
		case 'i':
			w.r.Take(4)
		case 'l':
			w.r.Take(8)
		case 'u':
			w.r.Take(16)
		case 's':
			w.r.string()
		case 'y':
			w.r.bytes()
		case '[':
			var inner string
			inner, shape = cutBalanced(shape, '[', ']')
			w.array(inner)
		case '?':
			var inner string
			inner, shape = cutBalanced(shape[1:], '{', '}')
			if w.r.Int8() >= 0 {
				w.walk(inner)
			}
		case 'T':
			var known string
			if strings.HasPrefix(shape, "<") {
				known, shape = cutBalanced(shape[1:], '<', '>')
			}
			w.tags(known)
		}
	}
}

func (w *walker) array(inner string) {
	n := w.r.count(1)
	if n < 0 {
		return
	}
	if w.elements += n; w.elements > requestElementsMax {
		w.r.Fail(kafka.ErrShort)
	}
	for range n {
		if w.r.Bad() {
			return
		}
		w.walk(inner)
	}
}

// tags consumes tagged fields; known is "tag:shape;tag:shape".
func (w *walker) tags(known string) {
	n := int(w.r.Uvarint())
	if w.elements += n; n > tagsMax || w.elements > requestElementsMax {
		w.r.Fail(kafka.ErrShort)
	}
	for range n {
		if w.r.Bad() {
			return
		}
		tag := int(w.r.Uvarint())
		value := w.r.Take(int(w.r.Uvarint()))
		shape, ok := knownTag(known, tag)
		if !ok {
			continue
		}
		inner := walker{r: newReader(value, true), elements: w.elements}
		inner.walk(shape)
		w.elements = inner.elements
		if inner.r.Bad() || inner.r.Len() > 0 {
			w.r.Fail(kafka.ErrShort)
		}
	}
}

// knownTag finds the shape of a tag in "tag:shape;tag:shape".
func knownTag(known string, tag int) (string, bool) {
	want := strconv.Itoa(tag)
	for known != "" {
		number, rest, _ := strings.Cut(known, ":")
		end := topLevel(rest, ';')
		if number == want {
			return rest[:end], true
		}
		known = strings.TrimPrefix(rest[end:], ";")
	}
	return "", false
}

// topLevel is the index of the first sep outside all brackets, or len(s).
func topLevel(s string, sep byte) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '[', '<', '{':
			depth++
		case ']', '>', '}':
			depth--
		case sep:
			if depth == 0 {
				return i
			}
		}
	}
	return len(s)
}

// cutBalanced splits s behind the close that matches an open before s.
func cutBalanced(s string, open, end byte) (inner, rest string) {
	depth := 1
	for i := range len(s) {
		switch s[i] {
		case open:
			depth++
		case end:
			if depth--; depth == 0 {
				return s[:i], s[i+1:]
			}
		}
	}
	return s, ""
}
