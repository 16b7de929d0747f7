package controller

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// The upgrade types of UpdateFeatures.
const (
	upgradeOnly      = 1
	downgradeSafe    = 2
	downgradeUnsafe  = 3
	featureUpdateMax = 64 // updates in one request
)

// updateFeatures finalizes other levels (KIP-584, 778, 1022): all of the
// request or nothing. A lower metadata.version is refused, since records in
// the log may need the higher one.
func (m *Machine) updateFeatures(req *kmsg.UpdateFeaturesRequest) ([]metarecord.Record, kmsg.Response) {
	if len(req.FeatureUpdates) > featureUpdateMax {
		return nil, ErrorReply(req, kafka.ErrInvalidRequest, "Too many feature updates.")
	}
	reply := kmsg.NewPtrUpdateFeaturesResponse()
	var records []metarecord.Record
	failed := -1
	seen := make(map[string]bool)
	for i := range req.FeatureUpdates {
		u := &req.FeatureUpdates[i]
		res := kmsg.NewUpdateFeaturesResponseResult()
		res.Feature = u.Feature
		code, message := m.checkFeatureUpdate(req, u)
		if seen[u.Feature] {
			code, message = kafka.ErrInvalidRequest, "Feature "+u.Feature+" is named more than once."
		}
		seen[u.Feature] = true
		if code != kafka.ErrNone {
			res.ErrorCode, res.ErrorMessage = int16(code), &message
			if failed < 0 {
				failed = i
			}
		} else if u.MaxVersionLevel != m.img.Feature(u.Feature) {
			records = append(records, &metarecord.FeatureLevel{Name: u.Feature, FeatureLevel: u.MaxVersionLevel})
		}
		reply.Results = append(reply.Results, res)
	}
	if failed >= 0 {
		res := reply.Results[failed]
		message := "The update failed for all features since the following feature had an error: " + *res.ErrorMessage
		reply.ErrorCode, reply.ErrorMessage = res.ErrorCode, &message
	}
	if failed >= 0 || req.Version >= 2 {
		reply.Results = nil
	}
	if failed >= 0 || req.ValidateOnly {
		records = nil
	}
	return records, reply
}

func (m *Machine) checkFeatureUpdate(req *kmsg.UpdateFeaturesRequest, u *kmsg.UpdateFeaturesRequestFeatureUpdate) (kafka.ErrorCode, string) {
	invalid := func(why string, args ...any) (kafka.ErrorCode, string) {
		return kafka.ErrInvalidUpdateVersion, fmt.Sprintf("Invalid update version %d for feature %s. ", u.MaxVersionLevel, u.Feature) + fmt.Sprintf(why, args...)
	}
	downgrade := u.UpgradeType == downgradeSafe || u.UpgradeType == downgradeUnsafe
	switch {
	case req.Version == 0:
		downgrade = u.AllowDowngrade
	case !downgrade && u.UpgradeType != upgradeOnly:
		return invalid("The controller does not support the given upgrade type.")
	}
	var supported FeatureRange
	for _, s := range m.cfg.Supported {
		if s.Name == u.Feature {
			supported = s
		}
	}
	level, now := u.MaxVersionLevel, m.img.Feature(u.Feature)
	switch {
	case supported.Name == "":
		return invalid("Local controller %d does not support this feature.", m.cfg.NodeID)
	case level < supported.Min || level > supported.Max:
		return invalid("Local controller %d only supports versions %d-%d", m.cfg.NodeID, supported.Min, supported.Max)
	case level < now && !downgrade:
		return invalid("Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.")
	case level < now && u.Feature == metaimage.FeatureMetadataVersion:
		return kafka.ErrInvalidUpdateVersion, fmt.Sprintf("Unsupported metadata.version downgrade from %d to %d. Refusing to perform the requested downgrade because it might delete metadata information.", now, level)
	}
	for id, b := range m.img.Brokers() {
		for _, f := range b.Features {
			if f.Name == u.Feature && (level < f.MinSupportedVersion || level > f.MaxSupportedVersion) {
				return invalid("Broker %d only supports versions %d-%d", id, f.MinSupportedVersion, f.MaxSupportedVersion)
			}
		}
	}
	return kafka.ErrNone, ""
}
