package broker

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/controller"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
)

// validator shows the table of settings to the controller, which must not
// know it: the node's static settings are the layer that it adds.
type validator struct{ static config.Map }

var _ controller.ConfigValidator = validator{}

func (validator) ValidateTopic(name, value string) error { return config.ValidateTopic(name, value) }

func (validator) ValidateTopicChange(name string) error {
	return changeError(config.ValidateTopicChange(name))
}

// changeError answers a setting that cannot change with Kafka's INVALID_REQUEST.
func changeError(err error) error {
	if errors.Is(err, config.ErrFixed) {
		return &controller.ConfigError{Code: kafka.ErrInvalidRequest, Message: err.Error()}
	}
	return err
}

func (validator) ValidateBroker(name, value string, all bool) error {
	return config.ValidateBroker(name, value, all)
}

func (validator) ValidateBrokerChange(name string, all bool) error {
	return changeError(config.ValidateBrokerChange(name, all))
}

func (v validator) ValidateTopicSet(s controller.TopicSettings) error {
	return config.ValidateTopicSet(v.layers(s))
}

func (v validator) layers(s controller.TopicSettings) config.Layers {
	return config.Layers{Topic: s.Topic, Derived: s.Derived, DefaultBroker: s.DefaultBroker, Static: v.static}
}

func (validator) Merge(typ metaimage.ResourceType, name string, current *string, op kmsg.IncrementalAlterConfigOp, operand string) (string, error) {
	scope := config.ScopeTopic
	if typ == metaimage.ResourceBroker {
		scope = config.ScopeBroker
	}
	return config.Merge(scope, name, current, config.Op(op), operand)
}

func (v validator) CreationSettings(s controller.TopicSettings) []controller.Setting {
	var out []controller.Setting
	for _, p := range config.CreationConfigs(v.layers(s)) {
		out = append(out, controller.Setting{Name: p.Name, Value: p.Value})
	}
	return out
}

func (v validator) TopicPolicy(s controller.TopicSettings) controller.TopicPolicy {
	t := config.ResolveTopic(v.layers(s))
	return controller.TopicPolicy{MinInsync: t.MinInsyncReplicas, Unclean: t.UncleanLeaderElection, Durability: t.Durability}
}

func (v validator) DescribeTopic(s controller.TopicSettings) []controller.DescribedSetting {
	var out []controller.DescribedSetting
	for _, d := range config.DescribeTopic(v.layers(s), nil) {
		ds := controller.DescribedSetting{Name: d.Name, ReadOnly: d.ReadOnly, Source: int8(d.Origin), Sensitive: d.Sensitive}
		if !d.Null {
			value := d.Value
			ds.Value = &value
		}
		out = append(out, ds)
	}
	return out
}
