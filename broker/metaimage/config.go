package metaimage

import (
	"cmp"
	"iter"
	"strings"
)

// ResourceType is the kind of what a config belongs to, by Kafka's numbers.
type ResourceType int8

// The kinds of resources that have configs.
const (
	ResourceTopic         ResourceType = 2
	ResourceBroker        ResourceType = 4
	ResourceClientMetrics ResourceType = 16
	ResourceGroup         ResourceType = 32
)

// Resource is what configs belong to. The broker with the empty name stands
// for the cluster's default of all brokers.
type Resource struct {
	Type ResourceType
	Name string
}

// ConfigKey names one config of one resource.
type ConfigKey struct {
	Resource
	Key string
}

// ConfigValue is the value of a dynamic config. Derived marks one that the
// controller computed and keeps up to date; nobody set it.
type ConfigValue struct {
	Value   string
	Derived bool
}

func compareConfigKey(a, b ConfigKey) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name), strings.Compare(a.Key, b.Key))
}

// Config is the dynamic value of one config, ok is false where none is set.
func (m *Image) Config(r Resource, key string) (v ConfigValue, ok bool) {
	return m.configs.Get(ConfigKey{r, key})
}

// ConfigsOf yields the dynamic configs of one resource by name.
func (m *Image) ConfigsOf(r Resource) iter.Seq2[string, ConfigValue] {
	return func(yield func(string, ConfigValue) bool) {
		for k, v := range m.configs.From(ConfigKey{Resource: r}) {
			if k.Resource != r || !yield(k.Key, v) {
				return
			}
		}
	}
}

// ConfigLayer is one resource's configs in an image: those that were set, or
// those that the controller derived.
type ConfigLayer struct {
	img      *Image
	resource Resource
	derived  bool
}

// ExplicitConfigs are the configs of a resource that were set.
func (m *Image) ExplicitConfigs(r Resource) ConfigLayer { return ConfigLayer{img: m, resource: r} }

// DerivedConfigs are the configs of a resource that the controller derived.
func (m *Image) DerivedConfigs(r Resource) ConfigLayer {
	return ConfigLayer{img: m, resource: r, derived: true}
}

// Get is the value of a config, if the layer has it.
func (l ConfigLayer) Get(name string) (text string, ok bool) {
	v, ok := l.img.Config(l.resource, name)
	if !ok || v.Derived != l.derived {
		return "", false
	}
	return v.Value, true
}

// SameConfigs reports, at once, that no config was written between the two
// images, of which one was made from the other.
func (m *Image) SameConfigs(o *Image) bool { return m.configs.Same(o.configs) }

// Configs yields all dynamic configs by resource and name.
func (m *Image) Configs() iter.Seq2[ConfigKey, ConfigValue] { return m.configs.All() }
