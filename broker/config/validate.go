package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Errors of changes, tested with errors.Is.
var (
	// ErrUnknown: no setting has that name. Kafka's answer is INVALID_CONFIG.
	ErrUnknown = errors.New("unknown setting")
	// ErrInvalid: the value is not valid. Kafka's answer is INVALID_CONFIG.
	ErrInvalid = errors.New("invalid setting")
	// ErrFixed: the setting cannot change while the node runs, or after the
	// topic's creation. Kafka's answer is INVALID_REQUEST.
	ErrFixed = errors.New("setting cannot be changed")
)

// problem is an error whose text says everything and whose kind is one of the
// sentinels.
type problem struct {
	kind error
	text string
}

func (p *problem) Error() string { return p.text }
func (p *problem) Unwrap() error { return p.kind }

// Rules is the table as the controller's checks. It has no state; the zero
// value is ready.
type Rules struct{}

// ValidateTopic checks one setting of a topic that is created or altered.
func (Rules) ValidateTopic(name, text string) error { return ValidateTopic(name, text) }

// ValidateTopicChange checks that a setting of an existing topic may change.
func (Rules) ValidateTopicChange(name string) error { return ValidateTopicChange(name) }

// ValidateTopicSet checks that a topic's settings fit together.
func (Rules) ValidateTopicSet(l Layers) error { return ValidateTopicSet(l) }

// ValidateBroker checks a dynamic setting of one broker, or of all.
func (Rules) ValidateBroker(name, text string, all bool) error {
	return ValidateBroker(name, text, all)
}

// Merge computes the value after an incremental change.
func (Rules) Merge(scope Scope, name string, current *string, op Op, operand string) (string, error) {
	return Merge(scope, name, current, op, operand)
}

// ValidateTopic checks one setting of a topic: its name, type and range, and
// that what it asks for is there.
func ValidateTopic(name, text string) error {
	return validate(ScopeTopic, name, text)
}

// ValidateTopicChange says whether a setting of an existing topic may change,
// be it to a value or to none.
func ValidateTopicChange(name string) error {
	e := table.byTopic[name]
	if e != nil && e.Dynamic == Fixed {
		return &problem{ErrFixed, fmt.Sprintf("%s is fixed when a topic is created", name)}
	}
	return nil
}

// ValidateTopicSet checks that the settings of a topic fit together, after
// each has passed ValidateTopic.
func ValidateTopicSet(l Layers) error {
	t := ResolveTopic(l)
	if err := t.check(); err != nil {
		return &problem{ErrInvalid, err.Error()}
	}
	return nil
}

// ValidateBroker checks a dynamic setting: of one broker, or of all brokers.
func ValidateBroker(name, text string, all bool) error {
	if err := ValidateBrokerChange(name, all); err != nil {
		return err
	}
	return validate(ScopeBroker, name, text)
}

// ValidateBrokerChange says whether a broker's setting may change while it
// runs, be it to a value or to none.
func ValidateBrokerChange(name string, all bool) error {
	e := table.byBroker[name]
	switch {
	case e == nil:
		return unknown(ScopeBroker, name)
	case e.Dynamic == Fixed:
		return &problem{ErrFixed, fmt.Sprintf("%s cannot be changed while the broker runs", name)}
	case e.Dynamic == PerBroker && all:
		return &problem{ErrFixed, fmt.Sprintf("%s can be changed for one broker at a time only", name)}
	}
	return nil
}

func validate(scope Scope, name, text string) error {
	e := Lookup(scope, name)
	if e == nil {
		return unknown(scope, name)
	}
	v, err := e.Parse(text)
	if err != nil {
		return &problem{ErrInvalid, err.Error()}
	}
	if e.asks(v) {
		return &problem{ErrInvalid, e.refusal()}
	}
	if name == hostLimitsName {
		if _, err := parseHostLimits(text); err != nil {
			return &problem{ErrInvalid, err.Error()}
		}
	}
	return nil
}

func unknown(scope Scope, name string) error {
	text := fmt.Sprintf("unknown %s setting %q", scope, name)
	if other := counterpart(scope, name); other != "" {
		text += ", " + other
	} else if near := suggest(scope, name); near != "" {
		text += fmt.Sprintf(", did you mean %q?", near)
	}
	return &problem{ErrUnknown, text}
}

// String is the resource's noun.
func (s Scope) String() string {
	if s == ScopeTopic {
		return "topic"
	}
	return "broker"
}

// isDefault reports whether v says what Kafka's default says.
func (e *Entry) isDefault(v Value) bool {
	d := e.Default
	if e.Kafka != nil {
		d = *e.Kafka
	}
	if !d.Set {
		return v.Text == ""
	}
	w, err := e.Parse(d.Text)
	if err != nil {
		return false
	}
	if e.Type == List {
		return slices.Equal(v.List, w.List)
	}
	return v.Text == w.Text || e.Type == Boolean && v.Bool == w.Bool
}

// asks reports whether v asks for something that the node does not have.
func (e *Entry) asks(v Value) bool {
	switch {
	case e.Support != Refused, slices.Contains(e.Open, strings.ToLower(v.Text)):
		return false
	case e.DefaultAsks:
		return true
	}
	return !e.isDefault(v)
}

func (e *Entry) refusal() string {
	return fmt.Sprintf("%s asks for what this node does not have yet: %s", e.Name, strings.TrimSuffix(e.Doc, "."))
}

// Op is an incremental change, numbered as on the wire.
type Op int8

const (
	OpSet      Op = 0
	OpDelete   Op = 1
	OpAppend   Op = 2
	OpSubtract Op = 3
)

// Merge computes the value after an incremental change of kind OpSet, OpAppend
// or OpSubtract; current is nil where nothing is set at this layer, then lists
// begin from the default. The result still has to be validated.
func Merge(scope Scope, name string, current *string, op Op, operand string) (string, error) {
	if op == OpSet {
		return operand, nil
	}
	e := Lookup(scope, name)
	if e == nil {
		return "", unknown(scope, name)
	}
	if op != OpAppend && op != OpSubtract {
		return "", &problem{ErrInvalid, fmt.Sprintf("unknown operation %d on %s", op, name)}
	}
	if e.Type != List {
		return "", &problem{ErrInvalid, fmt.Sprintf("%s is no list: it can only be set or deleted", name)}
	}
	before := e.Default.Text
	if current != nil {
		before = *current
	}
	elements := splitList(trim(before))
	for _, s := range splitList(trim(operand)) {
		at := slices.Index(elements, s)
		if op == OpAppend && at < 0 {
			elements = append(elements, s)
		} else if op == OpSubtract && at >= 0 {
			elements = slices.Delete(elements, at, at+1)
		}
	}
	return strings.Join(elements, ","), nil
}
