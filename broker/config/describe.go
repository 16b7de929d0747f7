package config

import "slices"

// Description is a setting as DescribeConfigs answers it.
type Description struct {
	Name      string
	Value     string
	Null      bool // no value, or a sensitive one
	Origin    Origin
	ReadOnly  bool
	Sensitive bool
	Type      Type
	Doc       string
	Synonyms  []SynonymValue // all places that set it, the strongest first
}

// SynonymValue is one place that sets a setting.
type SynonymValue struct {
	Name   string
	Value  string
	Null   bool // the value is sensitive
	Origin Origin
}

// DescribeTopic describes a topic's settings, sorted by name: those named, or
// all when names is nil. Unknown names are left out, as Kafka does.
func DescribeTopic(l Layers, names []string) []Description {
	return describe(&l, table.topics, names)
}

// DescribeBroker describes the settings of one broker.
func DescribeBroker(l Layers, names []string) []Description {
	l.Topic, l.Derived = nil, nil
	return describe(&l, table.brokers, names)
}

// DescribeDefaultBroker describes what is set for all brokers dynamically, and
// nothing else.
func DescribeDefaultBroker(defaults Source, names []string) []Description {
	l := Layers{DefaultBroker: defaults}
	out := describe(&l, table.brokers, names)
	return slices.DeleteFunc(out, func(d Description) bool { return d.Origin != OriginDefaultBroker })
}

func describe(l *Layers, entries []*Entry, names []string) []Description {
	var out []Description
	for _, e := range entries {
		if e.Internal || names != nil && !slices.Contains(names, e.Name) {
			continue
		}
		f := l.effective(e)
		d := Description{
			Name: e.Name, Value: f.Text, Null: !f.set || e.Sensitive, Origin: OriginDefault,
			ReadOnly: e.Dynamic == Fixed, Sensitive: e.Sensitive, Type: e.Type, Doc: e.Doc,
			Synonyms: l.synonyms(e),
		}
		if len(d.Synonyms) > 0 {
			d.Origin = d.Synonyms[0].Origin
		}
		if d.Null {
			d.Value = ""
		}
		out = append(out, d)
	}
	return out
}

// synonyms lists the places that set e, the strongest layer first. As in Kafka,
// a topic's setting shows the first of its broker settings only: retention.ms
// that follows from log.retention.hours is shown as a default without synonyms.
func (l *Layers) synonyms(e *Entry) []SynonymValue {
	var out []SynonymValue
	add := func(name string, s Source, origin Origin) {
		if text, ok := get(s, name); ok {
			out = append(out, synonymValue(e, name, text, origin))
		}
	}
	name := e.Name
	if e.Scope == ScopeTopic {
		add(e.Name, l.Topic, OriginTopic)
		if len(e.Synonyms) == 0 {
			return out
		}
		name = e.Synonyms[0].Name
	}
	for _, layer := range l.brokerLayers() {
		add(name, layer.source, layer.origin)
	}
	if d := table.byBroker[name].Default; d.Set {
		out = append(out, synonymValue(e, name, d.Text, OriginDefault))
	}
	return out
}

func synonymValue(e *Entry, name, text string, origin Origin) SynonymValue {
	if e.Sensitive {
		return SynonymValue{Name: name, Null: true, Origin: origin}
	}
	return SynonymValue{Name: name, Value: text, Origin: origin}
}
