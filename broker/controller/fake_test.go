package controller

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
)

// counter is entropy that counts, so that ids in goldens are stable.
type counter struct{ n uint64 }

func (c *counter) Read(p []byte) {
	for i := range p {
		c.n++
		p[i] = byte(c.n)
	}
	if c.n > 255 && len(p) >= 16 { // the single bytes begin to repeat
		binary.BigEndian.PutUint64(p[8:], c.n)
	}
}

// table is a small table of settings.
type table struct{}

func (table) ValidateTopic(name, value string) error {
	switch name {
	case configMinInsync:
		if n, err := strconv.Atoi(value); err != nil || n < 1 {
			return fmt.Errorf("Invalid value %s for configuration %s", value, name)
		}
	case configUnclean, "cleanup.policy", "retention.ms":
	case "moldau.durability":
		if value != "sync" && value != "os" {
			return fmt.Errorf("Invalid value %s for configuration %s", value, name)
		}
	default:
		return errors.New("Unknown topic config name: " + name)
	}
	return nil
}

func (table) ValidateTopicChange(name string) error {
	if name == "moldau.durability" {
		return &ConfigError{kafka.ErrInvalidRequest, name + " is fixed at creation."}
	}
	return nil
}

func (table) ValidateTopicSet(s TopicSettings) error {
	if v, _ := s.Topic.Get("cleanup.policy"); v == "compact" {
		if _, ok := s.Topic.Get("retention.ms"); ok {
			return errors.New("retention.ms with compact")
		}
	}
	return nil
}

func (t table) ValidateBroker(name, value string, all bool) error {
	return t.ValidateTopic(name, value)
}
func (table) ValidateBrokerChange(name string, all bool) error { return nil }

func (table) Merge(typ metaimage.ResourceType, name string, current *string, op kmsg.IncrementalAlterConfigOp, operand string) (string, error) {
	if name != "cleanup.policy" {
		return "", errors.New("Can't change " + name + " because its type is not LIST.")
	}
	list := []string{}
	if current != nil && *current != "" {
		list = strings.Split(*current, ",")
	}
	if op == kmsg.IncrementalAlterConfigOpAppend {
		return strings.Join(append(list, operand), ","), nil
	}
	out := []string{}
	for _, e := range list {
		if e != operand {
			out = append(out, e)
		}
	}
	return strings.Join(out, ","), nil
}

func (table) get(s TopicSettings, name, def string) string {
	for _, l := range []Settings{s.Topic, s.Derived, s.DefaultBroker} {
		if v, ok := l.Get(name); ok {
			return v
		}
	}
	return def
}

func (t table) CreationSettings(s TopicSettings) []Setting {
	return []Setting{{"moldau.durability", t.get(s, "moldau.durability", "sync")}}
}

func (t table) TopicPolicy(s TopicSettings) TopicPolicy {
	n, _ := strconv.Atoi(t.get(s, configMinInsync, "0"))
	p := TopicPolicy{MinInsync: n, Unclean: t.get(s, configUnclean, "false") == "true"}
	if t.get(s, "moldau.durability", "sync") == "os" {
		p.Durability = kafka.DurabilityOS
	}
	return p
}

func (t table) DescribeTopic(s TopicSettings) []DescribedSetting {
	v := t.get(s, configMinInsync, "1")
	return []DescribedSetting{{Name: configMinInsync, Value: &v, Source: 1}}
}

// printer writes records and replies without what is zero, ids by short names.
type printer struct{ names map[kafka.UUID]string }

func (p *printer) id(name string) kafka.UUID {
	var u kafka.UUID
	if name == "" {
		return u
	}
	copy(u[:], name)
	u[15] = 200
	p.names[u] = name
	return u
}

func (p *printer) text(v any) string { return p.value(reflect.ValueOf(v)) }

func (p *printer) value(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return "null"
		}
		return p.value(v.Elem())
	case reflect.String:
		return strconv.Quote(v.String())
	case reflect.Array:
		u := v.Convert(reflect.TypeFor[kafka.UUID]()).Interface().(kafka.UUID)
		if name, ok := p.names[u]; ok {
			return name
		}
		return u.String()
	case reflect.Slice:
		parts := []string{}
		for i := range v.Len() {
			parts = append(parts, p.value(v.Index(i)))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case reflect.Struct:
		parts := []string{}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || v.Field(i).IsZero() || f.Name == "UnknownTags" || f.Name == "Unknown" || f.Name == "Version" {
				continue
			}
			text := p.value(v.Field(i))
			if f.Name == "ErrorCode" {
				text = kafka.ErrorCode(v.Field(i).Int()).Name()
			}
			parts = append(parts, f.Name+":"+text)
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	return fmt.Sprint(v.Interface())
}
