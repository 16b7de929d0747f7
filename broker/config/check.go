package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Limits of a value, in bytes and elements.
const (
	valueLenMax  = 32 << 10 // one setting's text, in bytes
	listCountMax = 4096     // elements of one list
)

// Check says which values of the right type are valid. String is the range as
// messages and docs show it, in Kafka's notation.
type Check interface {
	// Accepts reports whether the parsed value is valid.
	Accepts(v Value) bool
	String() string
}

// Value is a parsed value: the field of its type is set.
type Value struct {
	Text string   // STRING, CLASS, PASSWORD; trimmed text for the others
	Int  int64    // SHORT, INT, LONG
	Num  float64  // DOUBLE
	Bool bool     // BOOLEAN
	List []string // LIST
}

// Parse reads text as the type of e and checks its range. The error names the
// setting, the value (unless it is sensitive) and what is valid.
func (e *Entry) Parse(text string) (Value, error) {
	if len(text) > valueLenMax {
		return Value{}, fmt.Errorf("invalid value for %s: longer than %d bytes", e.Name, valueLenMax)
	}
	v, ok := parseType(e.Type, text)
	if ok && (e.Valid == nil || e.Valid.Accepts(v)) {
		return v, nil
	}
	shown := strconv.Quote(text)
	if e.Sensitive {
		shown = "(hidden)"
	}
	return Value{}, fmt.Errorf("invalid value %s for %s: want %s", shown, e.Name, e.Wants())
}

// Wants describes the valid values: the type and the range.
func (e *Entry) Wants() string {
	valid := validRange(e)
	switch e.Type {
	case Boolean:
		return "true or false"
	case Int:
		return "an int in " + valid
	case Short, Long:
		return "a " + strings.ToLower(e.Type.String()) + " in " + valid
	case Double:
		if valid == "" {
			return "a number"
		}
		return "a number in " + valid
	case List:
		if _, ok := e.Valid.(listOf); ok {
			return "a list of " + valid + ", each at most once"
		}
		return fmt.Sprintf("a list of at most %d elements %s", listCountMax, valid)
	}
	return valid
}

// validRange is the check's text; numbers without one have the range of their type.
func validRange(e *Entry) string {
	if e.Valid != nil {
		return e.Valid.String()
	}
	switch e.Type {
	case Short:
		return between{math.MinInt16, math.MaxInt16}.String()
	case Int:
		return between{math.MinInt32, math.MaxInt32}.String()
	case Long:
		return between{math.MinInt64, math.MaxInt64}.String()
	}
	return ""
}

func parseType(t Type, text string) (Value, bool) {
	s := trim(text)
	v := Value{Text: s}
	var err error
	switch t {
	case Boolean:
		v.Bool = strings.EqualFold(s, "true")
		return v, v.Bool || strings.EqualFold(s, "false")
	case Short:
		v.Int, err = parseInt(s, 16)
	case Int:
		v.Int, err = parseInt(s, 32)
	case Long:
		v.Int, err = parseInt(s, 64)
	case Double:
		v.Num, err = parseDouble(s)
	case List:
		v.List = splitList(s)
		return v, len(v.List) <= listCountMax
	}
	return v, err == nil
}

// trim takes off what Java's String.trim does: everything up to the space.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// parseInt reads decimal digits with an optional sign, as Java does.
func parseInt(s string, bits int) (int64, error) {
	return strconv.ParseInt(s, 10, bits)
}

// parseDouble reads a decimal number; hexadecimal forms, underscores and NaN
// are no setting's value.
func parseDouble(s string) (float64, error) {
	if strings.ContainsAny(s, "_xXpP") {
		return 0, strconv.ErrSyntax
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) {
		return 0, strconv.ErrSyntax
	}
	return f, nil
}

// splitList splits at commas; the empty text is the empty list.
func splitList(s string) []string {
	if s == "" {
		return nil
	}
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = trim(parts[i])
	}
	return parts
}

// between accepts numbers from Min to Max, both included.
type between struct{ Min, Max int64 }

func (c between) Accepts(v Value) bool { return c.Min <= v.Int && v.Int <= c.Max }
func (c between) String() string       { return fmt.Sprintf("[%d,...,%d]", c.Min, c.Max) }

// atLeast accepts numbers from Min on.
type atLeast struct{ Min int64 }

func (c atLeast) Accepts(v Value) bool { return c.Min <= v.Int }
func (c atLeast) String() string       { return fmt.Sprintf("[%d,...]", c.Min) }

// fraction accepts doubles from Min to Max.
type fraction struct{ Min, Max float64 }

func (c fraction) Accepts(v Value) bool { return c.Min <= v.Num && v.Num <= c.Max }
func (c fraction) String() string {
	return "[" + formatDouble(c.Min) + ",...," + formatDouble(c.Max) + "]"
}

func formatDouble(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// gzipLevel accepts 1 to 9, and -1 for the default.
type gzipLevel struct{}

func (gzipLevel) Accepts(v Value) bool { return v.Int == -1 || 1 <= v.Int && v.Int <= 9 }
func (gzipLevel) String() string       { return "[1,...,9] or -1" }

// oneOf accepts the listed texts.
type oneOf []string

func (c oneOf) Accepts(v Value) bool { return slices.Contains(c, v.Text) }
func (c oneOf) String() string       { return "[" + strings.Join(c, ", ") + "]" }

// oneOfFold is oneOf without regard to upper and lower case.
type oneOfFold []string

func (c oneOfFold) Accepts(v Value) bool {
	return slices.ContainsFunc(c, func(s string) bool { return strings.EqualFold(s, v.Text) })
}
func (c oneOfFold) String() string { return "(case insensitive) [" + strings.Join(c, ", ") + "]" }

// listOf accepts lists whose elements are among the texts, each at most once.
type listOf []string

func (c listOf) Accepts(v Value) bool {
	for i, s := range v.List {
		if !slices.Contains(c, s) || slices.Contains(v.List[:i], s) {
			return false
		}
	}
	return true
}
func (c listOf) String() string { return "[" + strings.Join(c, ", ") + "]" }

// nonEmpty accepts every text but the empty one, every list with an element.
type nonEmpty struct{}

func (nonEmpty) Accepts(v Value) bool { return v.Text != "" }
func (nonEmpty) String() string       { return "non-empty string" }

// throttledReplicas accepts the lists of partition:broker pairs of replica
// throttling, "*" for all of them, or nothing.
type throttledReplicas struct{}

func (throttledReplicas) Accepts(v Value) bool {
	if len(v.List) == 1 && v.List[0] == "*" {
		return true
	}
	for _, s := range v.List {
		partition, broker, ok := strings.Cut(s, ":")
		if !ok || !isNumber(partition) || !isNumber(broker) {
			return false
		}
	}
	return true
}
func (throttledReplicas) String() string {
	return "[partitionId]:[brokerId],[partitionId]:[brokerId],..."
}

func isNumber(s string) bool {
	n, err := parseInt(s, 32)
	return err == nil && n >= 0
}
