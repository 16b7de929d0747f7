package config

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of a properties file.
const (
	propertiesLenMax   = 1 << 20 // bytes
	propertiesCountMax = 16384   // settings
)

// Property is one setting of the node's properties.
type Property struct {
	Name  string
	Value string
	Line  int // line of the file, from 1; 0 for the command line
}

// ParseProperties reads Java's properties syntax, as Kafka's server.properties
// has it: comments with # and !, keys that end at =, : or white space,
// backslash escapes, \uXXXX, and lines continued by a backslash. Bytes are
// taken as UTF-8. Settings come in the order of the file, repeated ones too.
func ParseProperties(r io.Reader) ([]Property, error) {
	text, err := io.ReadAll(io.LimitReader(r, propertiesLenMax+1))
	if err != nil {
		return nil, fmt.Errorf("read properties: %w", err)
	}
	if len(text) > propertiesLenMax {
		return nil, fmt.Errorf("read properties: longer than %d bytes", propertiesLenMax)
	}
	p := propertiesReader{rest: strings.ToValidUTF8(string(text), string(utf8.RuneError))}
	var out []Property
	for {
		line, number, ok := p.logicalLine()
		if !ok {
			return out, nil
		}
		name, value := splitProperty(line)
		property := Property{Line: number}
		if property.Name, err = unescape(name); err != nil {
			return nil, fmt.Errorf("properties line %d: %w", number, err)
		}
		if property.Value, err = unescape(value); err != nil {
			return nil, fmt.Errorf("properties line %d: value of %s: %w", number, property.Name, err)
		}
		if len(out) == propertiesCountMax {
			return nil, fmt.Errorf("read properties: more than %d settings", propertiesCountMax)
		}
		out = append(out, property)
	}
}

type propertiesReader struct {
	rest string
	line int // of the last line taken
}

// naturalLine takes one line; the end is \n, \r or \r\n.
func (p *propertiesReader) naturalLine() (string, bool) {
	if p.rest == "" {
		return "", false
	}
	p.line++
	end := strings.IndexAny(p.rest, "\r\n")
	if end < 0 {
		line := p.rest
		p.rest = ""
		return line, true
	}
	line := p.rest[:end]
	if strings.HasPrefix(p.rest[end:], "\r\n") {
		end++
	}
	p.rest = p.rest[end+1:]
	return line, true
}

// logicalLine takes the next line that holds a setting, with the lines that
// continue it and the number of its first.
func (p *propertiesReader) logicalLine() (string, int, bool) {
	for {
		line, ok := p.naturalLine()
		if !ok {
			return "", 0, false
		}
		line = trimBlank(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		number := p.line
		if !continues(line) {
			return line, number, true
		}
		whole := []byte(line)
		for continues(string(line)) {
			whole = whole[:len(whole)-1]
			if line, ok = p.naturalLine(); !ok {
				break
			}
			line = trimBlank(line)
			whole = append(whole, line...)
		}
		if len(whole) > 0 {
			return string(whole), number, true
		}
	}
}

func trimBlank(s string) string { return strings.TrimLeft(s, " \t\f") }

// continues reports whether the line ends in an odd number of backslashes.
func continues(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// splitProperty cuts at the first separator that is not escaped.
func splitProperty(line string) (name, value string) {
	end := 0
	for end < len(line) && !strings.ContainsRune("=: \t\f", rune(line[end])) {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(line))
	value = trimBlank(line[end:])
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = trimBlank(value[1:])
	}
	return line[:end], value
}

// unescape resolves backslashes. A pair of \u escapes may make one character.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			break
		}
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			r, ok := hex4(s[i+1:])
			if !ok {
				return "", fmt.Errorf(`\u wants four hexadecimal digits`)
			}
			i += 4
			if utf16.IsSurrogate(r) && strings.HasPrefix(s[i+1:], `\u`) {
				if low, ok := hex4(s[i+3:]); ok {
					if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
						r, i = pair, i+6
					}
				}
			}
			b.WriteRune(r)
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

// hex4 reads exactly four hexadecimal digits.
func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[:4]) {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if digit < 0 || c < '0' {
			return 0, false
		}
		r = r<<4 | rune(digit)
	}
	return r, true
}
