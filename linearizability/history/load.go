package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Limits bound what Load takes in.
type Limits struct {
	LineBytesMax int // default 16 MiB
	LinesMax     int // default 20 million
}

const (
	lineBytesMaxDefault = 16 << 20
	linesMaxDefault     = 20_000_000
)

// Errors of Load that a caller may want to tell apart.
var (
	ErrCutOff = errors.New("no end line: the run was cut off")
	ErrLimit  = errors.New("beyond the limit")
)

// Load reads a whole history and validates it. Errors name the line.
func Load(from io.Reader, limits Limits) (*History, error) {
	if limits.LineBytesMax <= 0 {
		limits.LineBytesMax = lineBytesMaxDefault
	}
	if limits.LinesMax <= 0 {
		limits.LinesMax = linesMaxDefault
	}
	scanner := bufio.NewScanner(from)
	scanner.Buffer(make([]byte, 0, min(64<<10, limits.LineBytesMax)), limits.LineBytesMax)
	h, lines, ended := &History{}, int64(0), false
	for scanner.Scan() {
		lines++
		switch {
		case ended:
			return nil, fmt.Errorf("history: line %d: a line after the end", lines)
		case lines > int64(limits.LinesMax):
			return nil, fmt.Errorf("history: more than %d lines: %w", limits.LinesMax, ErrLimit)
		}
		var err error
		if ended, err = h.take(scanner.Bytes(), lines); err != nil {
			return nil, fmt.Errorf("history: line %d: %w", lines, err)
		}
	}
	switch err := scanner.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("history: line %d: more than %d bytes: %w", lines+1, limits.LineBytesMax, ErrLimit)
	case err != nil:
		return nil, fmt.Errorf("history: line %d: %w", lines+1, err)
	case !ended:
		return nil, fmt.Errorf("history: after line %d: %w", lines, ErrCutOff)
	}
	return h, h.Validate()
}

// take adds one line, the number-th, and reports whether it was the end.
func (h *History) take(text []byte, number int64) (ended bool, err error) {
	var l line
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&l); err != nil {
		return false, err
	}
	if decoder.More() {
		return false, errors.New("more than one object")
	}
	if (number == 1) != (l.Header != nil) {
		return false, errors.New("the header is the first line, and no other")
	}
	members := 0
	if l.Header != nil {
		members++
		if l.Header.Format != Format || l.Header.Version != Version {
			return false, fmt.Errorf("format %q version %d, this reads %q version %d", l.Header.Format, l.Header.Version, Format, Version)
		}
		h.Header = *l.Header
	}
	if l.Topic != nil {
		members++
		h.Topics = append(h.Topics, *l.Topic)
	}
	if l.Op != nil {
		members++
		h.Ops = append(h.Ops, *l.Op)
	}
	if l.Event != nil {
		members++
		h.Events = append(h.Events, *l.Event)
	}
	if l.End != nil {
		members++
		h.End = l.End.At
		if l.End.Lines != number-1 {
			return false, fmt.Errorf("the end counts %d lines, there were %d", l.End.Lines, number-1)
		}
	}
	if members != 1 {
		return false, fmt.Errorf("%d members, one is wanted", members)
	}
	return l.End != nil, nil
}
