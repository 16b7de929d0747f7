package explore

import (
	"errors"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/controller"
	"github.com/moldau/moldau/broker/metaimage"
)

// settings is the table of settings of a world: the few that the controller's
// machine reads.
type settings struct{ w *World }

var errNoSetting = errors.New("a world has no such setting")

func (settings) ValidateTopic(name, value string) error {
	if name != "min.insync.replicas" && name != "unclean.leader.election.enable" {
		return errNoSetting
	}
	return nil
}
func (settings) ValidateTopicChange(string) error                               { return nil }
func (settings) ValidateTopicSet(controller.TopicSettings) error                { return nil }
func (settings) ValidateBroker(string, string, bool) error                      { return errNoSetting }
func (settings) ValidateBrokerChange(string, bool) error                        { return errNoSetting }
func (settings) CreationSettings(controller.TopicSettings) []controller.Setting { return nil }
func (settings) DescribeTopic(controller.TopicSettings) []controller.DescribedSetting {
	return nil
}
func (settings) Merge(metaimage.ResourceType, string, *string, kmsg.IncrementalAlterConfigOp, string) (string, error) {
	return "", errNoSetting
}

func (s settings) TopicPolicy(layers controller.TopicSettings) controller.TopicPolicy {
	minISR, _ := layers.Topic.Get("min.insync.replicas")
	n, err := strconv.Atoi(minISR)
	if err != nil {
		n = 0
	}
	unclean, _ := layers.Topic.Get("unclean.leader.election.enable")
	return controller.TopicPolicy{MinInsync: n, Unclean: unclean == "true", Durability: s.w.Durability}
}
