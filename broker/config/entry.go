package config

// Type is the type of a setting's value, as DescribeConfigs reports it.
type Type int8

// The types, numbered as on the wire (DescribeConfigs v3).
const (
	Boolean  Type = 1
	String   Type = 2
	Int      Type = 3 // 32 bits
	Short    Type = 4 // 16 bits
	Long     Type = 5 // 64 bits
	Double   Type = 6
	List     Type = 7 // comma-separated
	Class    Type = 8 // name of a Java class
	Password Type = 9
)

// String is Kafka's name of the type, in upper case.
func (t Type) String() string {
	switch t {
	case Boolean:
		return "BOOLEAN"
	case String:
		return "STRING"
	case Int:
		return "INT"
	case Short:
		return "SHORT"
	case Long:
		return "LONG"
	case Double:
		return "DOUBLE"
	case List:
		return "LIST"
	case Class:
		return "CLASS"
	case Password:
		return "PASSWORD"
	}
	return "UNKNOWN"
}

// Scope says which resource carries the setting. A topic setting whose default
// comes from a broker setting names that one in Synonyms.
type Scope uint8

const (
	ScopeBroker Scope = iota + 1
	ScopeTopic
)

// Dynamic says how a setting changes while the node runs.
type Dynamic uint8

const (
	// Fixed settings need a restart; for topics: they are fixed at creation.
	Fixed Dynamic = iota
	// PerBroker settings change for one broker at a time, or for all.
	PerBroker
	// Cluster settings change for all brokers by the default entity, or for one.
	Cluster
)

// Importance is Kafka's ranking, for the docs.
type Importance uint8

const (
	Low Importance = iota + 1
	Medium
	High
)

func (i Importance) String() string {
	switch i {
	case High:
		return "HIGH"
	case Medium:
		return "MEDIUM"
	}
	return "LOW"
}

// Support says what the node does with a setting.
type Support uint8

const (
	// Served settings have their effect.
	Served Support = iota
	// Ignored settings are checked, kept and described, but have no effect, as
	// the entry's Why says: the start names them in one warning.
	Ignored
	// Refused settings ask for protection, or for a whole feature, that the node
	// does not have: a value that asks for it refuses the start (or the change).
	Refused
)

// Entry is one setting.
type Entry struct {
	Name       string
	Type       Type
	Scope      Scope
	Default    DefaultText
	Valid      Check // nil: every value of the type
	Dynamic    Dynamic
	Importance Importance
	Support    Support
	Sensitive  bool // never shown, never logged
	Internal   bool // Kafka's own internal setting: not documented, not described

	// Why says of an ignored setting why it has no effect, for the docs.
	Why string

	// Of a refused setting every value asks for what is missing, but for the
	// default (unless DefaultAsks: written out, it asks too) and those of Open,
	// which ask for less.
	DefaultAsks bool
	Open        []string

	// Synonyms are, for a topic setting, the broker settings that its default
	// comes from, the first that is set counting.
	Synonyms []Synonym

	// Kafka is Kafka's default where ours differs, Reason why.
	Kafka  *DefaultText
	Reason string

	Doc string // one line
}

// Synonym is a broker setting whose value, times Factor, is the default of
// another setting that is counted in a smaller unit.
type Synonym struct {
	Name   string
	Factor int64 // 1 for the same unit, 60_000 for minutes to milliseconds
}

// DefaultText is a default's text. The zero value is "no default" (Kafka's null).
type DefaultText struct {
	Text string
	Set  bool
}

// value is a default that is there; the empty text is one too.
func value(text string) DefaultText { return DefaultText{Text: text, Set: true} }

// String is the text for the docs.
func (d DefaultText) String() string {
	if !d.Set {
		return "null"
	}
	return d.Text
}
