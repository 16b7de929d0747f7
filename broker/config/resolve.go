package config

import "strconv"

// found is an effective value and where it comes from.
type found struct {
	Value
	set    bool
	origin Origin
}

// effective finds the value of e. A text that does not pass e's check, which
// only another version can have written, counts as not set.
func (l *Layers) effective(e *Entry) found {
	if e.Scope == ScopeTopic {
		if f, ok := parsed(e, l.Topic, e.Name, OriginTopic); ok {
			return f
		}
		if f, ok := parsed(e, l.Derived, e.Name, OriginDefault); ok {
			return f
		}
		for _, s := range e.Synonyms {
			if f, ok := l.brokerSet(s); ok {
				return f
			}
		}
	} else if f, ok := l.brokerSet(Synonym{Name: e.Name, Factor: 1}); ok {
		return f
	}
	if !e.Default.Set {
		return found{origin: OriginDefault}
	}
	v, _ := e.Parse(e.Default.Text)
	return found{Value: v, set: true, origin: OriginDefault}
}

// brokerSet is the value that a layer of the broker sets for s, in the unit of
// the setting that has s as its synonym.
func (l *Layers) brokerSet(s Synonym) (found, bool) {
	e := table.byBroker[s.Name]
	for _, layer := range l.brokerLayers() {
		if f, ok := parsed(e, layer.source, s.Name, layer.origin); ok {
			return f.times(s.Factor), true
		}
	}
	return found{}, false
}

type brokerLayer struct {
	source Source
	origin Origin
}

func (l *Layers) brokerLayers() [3]brokerLayer {
	return [3]brokerLayer{{l.Broker, OriginBroker}, {l.DefaultBroker, OriginDefaultBroker}, {l.Static, OriginStatic}}
}

func parsed(e *Entry, s Source, name string, origin Origin) (found, bool) {
	text, ok := get(s, name)
	if !ok {
		return found{}, false
	}
	v, err := e.Parse(text)
	return found{Value: v, set: true, origin: origin}, err == nil
}

// times converts to a smaller unit. Negative values mean "never" in every
// unit; what overflows is the largest value.
func (f found) times(factor int64) found {
	switch {
	case factor == 1:
		return f
	case f.Int < 0:
		f.Int = -1
	case f.Int > maxLong/factor:
		f.Int = maxLong
	default:
		f.Int *= factor
	}
	f.Text = strconv.FormatInt(f.Int, 10)
	return f
}
