package dump

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed schema.txt
var schemaText string

// schema is the parsed table of schema.txt.
type schema struct {
	topics map[string]map[int16]*recordSchema
}

// recordSchema is one kind of record.
type recordSchema struct {
	name     string
	key      []*fieldSchema
	value    []*fieldSchema
	newest   int16 // version of the value
	flexible int16 // from which version on values have the flexible encoding; never: 32767
}

// fieldSchema is one field, of the versions since to until.
type fieldSchema struct {
	name         string
	typ          string // of the element when array is set; "{}" for a struct
	array        bool
	shortCount   bool // the array's count is one byte
	nullable     bool
	since, until int16
	tag          int // -1: not tagged
	fields       []*fieldSchema
}

const noVersion = 1<<15 - 1

func parseSchema(text string) (*schema, error) {
	p := schemaParser{s: &schema{topics: map[string]map[int16]*recordSchema{}}}
	for n, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := p.line(len(line)-len(strings.TrimLeft(line, " ")), words); err != nil {
			return nil, fmt.Errorf("schema line %d: %w", n+1, err)
		}
	}
	return p.s, nil
}

type schemaParser struct {
	s      *schema
	topic  map[int16]*recordSchema
	record *recordSchema
	// open holds the lists that fields of each depth go into.
	open []*[]*fieldSchema
}

func (p *schemaParser) line(indent int, words []string) error {
	switch {
	case indent == 0 && words[0] == "topic" && len(words) == 2:
		p.topic = map[int16]*recordSchema{}
		p.s.topics[words[1]] = p.topic
		return nil
	case indent == 0 && words[0] == "record" && len(words) == 3 && p.topic != nil:
		number, err := strconv.ParseInt(words[1], 10, 16)
		p.record = &recordSchema{name: words[2], flexible: noVersion}
		p.topic[int16(number)] = p.record
		return err
	case indent == 1 && words[0] == "key" && p.record != nil:
		p.open = []*[]*fieldSchema{&p.record.key}
		return nil
	case indent == 1 && words[0] == "value" && p.record != nil:
		p.open = []*[]*fieldSchema{&p.record.value}
		return p.value(words[1:])
	case indent >= 2 && indent%2 == 0 && indent/2 <= len(p.open):
		return p.field(indent/2, words)
	}
	return fmt.Errorf("%q does not fit here", strings.Join(words, " "))
}

func (p *schemaParser) value(words []string) error {
	for ; len(words) >= 2; words = words[2:] {
		v, err := strconv.ParseInt(words[1], 10, 16)
		if err != nil {
			return err
		}
		switch words[0] {
		case "newest":
			p.record.newest = int16(v)
		case "flexible":
			p.record.flexible = int16(v)
		default:
			return fmt.Errorf("unknown word %q", words[0])
		}
	}
	return nil
}

func (p *schemaParser) field(depth int, words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("field without a type")
	}
	f := &fieldSchema{name: words[0], typ: words[1], until: noVersion, tag: -1}
	if typ, ok := strings.CutPrefix(f.typ, "[]"); ok {
		f.typ, f.array = typ, true
	} else if typ, ok := strings.CutPrefix(f.typ, "[int8]"); ok {
		f.typ, f.array, f.shortCount = typ, true, true
	}
	for rest := words[2:]; len(rest) > 0; {
		if rest[0] == "null" {
			f.nullable, rest = true, rest[1:]
			continue
		}
		if len(rest) < 2 {
			return fmt.Errorf("%q without a number", rest[0])
		}
		v, err := strconv.ParseInt(rest[1], 10, 16)
		if err != nil {
			return err
		}
		switch rest[0] {
		case "since":
			f.since = int16(v)
		case "until":
			f.until = int16(v)
		case "tag":
			f.tag = int(v)
		default:
			return fmt.Errorf("unknown word %q", rest[0])
		}
		rest = rest[2:]
	}
	p.open = p.open[:depth]
	list := p.open[depth-1]
	*list = append(*list, f)
	if f.typ == "{}" {
		p.open = append(p.open, &f.fields)
	}
	return nil
}
