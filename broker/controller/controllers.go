package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// registerController notes a controller's addresses and features (KIP-919). A
// registration that says nothing new writes nothing.
func (m *Machine) registerController(req *kmsg.ControllerRegistrationRequest) ([]metarecord.Record, kmsg.Response) {
	reply := kmsg.NewPtrControllerRegistrationResponse()
	if req.ControllerID < 0 || len(req.Listeners) == 0 || len(req.Listeners) > listenersMax || len(req.Features) > featuresMax {
		return nil, ErrorReply(req, kafka.ErrInvalidRegistration, "A controller needs an id and at least one listener.")
	}
	r := &metarecord.RegisterController{ControllerID: req.ControllerID, IncarnationID: req.IncarnationID, ZkMigrationReady: req.ZkMigrationReady}
	for _, l := range req.Listeners {
		r.EndPoints = append(r.EndPoints, metarecord.ControllerEndpoint{Name: l.Name, Host: l.Host, Port: l.Port, SecurityProtocol: l.SecurityProtocol})
	}
	for _, f := range req.Features {
		r.Features = append(r.Features, metarecord.ControllerFeature{Name: f.Name, MinSupportedVersion: f.MinSupportedVersion, MaxSupportedVersion: f.MaxSupportedVersion})
	}
	if old := m.img.Controller(req.ControllerID); old != nil {
		version := r.Type().MaxVersion()
		if slices.Equal(metarecord.Encode(nil, r, version), metarecord.Encode(nil, &old.RegisterController, version)) {
			return nil, reply
		}
	}
	return []metarecord.Record{r}, reply
}

// unregisterController forgets a controller (KIP-1312); the finalized
// metadata.version must have that record.
func (m *Machine) unregisterController(req *kmsg.UnregisterControllerRequest) ([]metarecord.Record, kmsg.Response) {
	if _, ok := metarecord.TypeUnregisterController.VersionAt(m.img.MetadataVersion()); !ok {
		return nil, ErrorReply(req, kafka.ErrUnsupportedVersion, "The current "+metaimage.FeatureMetadataVersion+" cannot unregister controllers.")
	}
	if m.img.Controller(req.ControllerID) == nil {
		return nil, ErrorReply(req, kafka.ErrControllerIDNotRegistered, "Controller ID "+itoa(req.ControllerID)+" is not currently registered")
	}
	return []metarecord.Record{&metarecord.UnregisterController{ControllerID: req.ControllerID}}, kmsg.NewPtrUnregisterControllerResponse()
}
