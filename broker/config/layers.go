package config

// Source is one layer of settings by name. The metadata image implements it
// for a resource; Map is one for tests and for static properties. It must not
// change while it is read.
type Source interface {
	Get(name string) (text string, ok bool)
}

// Map is a Source.
type Map map[string]string

// Get implements Source; a nil Map is empty.
func (m Map) Get(name string) (string, bool) {
	text, ok := m[name]
	return text, ok
}

// Layers are all places where a setting may be set, the strongest first. Nil
// layers are empty.
type Layers struct {
	Topic         Source // the topic's own settings (topic settings only)
	Derived       Source // values written for the topic by the controller, shown as defaults
	Broker        Source // dynamic settings of this broker
	DefaultBroker Source // dynamic settings of all brokers (the entity without a name)
	Static        Source // the node's properties
}

// Origin says where an effective value comes from, numbered as ConfigSource on
// the wire.
type Origin int8

const (
	OriginTopic         Origin = 1
	OriginBroker        Origin = 2
	OriginDefaultBroker Origin = 3
	OriginStatic        Origin = 4
	OriginDefault       Origin = 5
)

func get(s Source, name string) (string, bool) {
	if s == nil {
		return "", false
	}
	return s.Get(name)
}
