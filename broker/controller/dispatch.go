package controller

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/metarecord"
)

// dispatch decides about one request: the records that it takes, and the reply.
func (m *Machine) dispatch(t Times, req kmsg.Request) ([]metarecord.Record, kmsg.Response) {
	switch req := req.(type) {
	case *kmsg.BrokerHeartbeatRequest:
		return m.heartbeat(t, req)
	case *kmsg.AlterPartitionRequest:
		return m.alterPartition(req)
	case *kmsg.BrokerRegistrationRequest:
		return m.registerBroker(t, req)
	case *kmsg.UnregisterBrokerRequest:
		return m.unregisterBroker(req)
	case *kmsg.ControllerRegistrationRequest:
		return m.registerController(req)
	case *kmsg.UnregisterControllerRequest:
		return m.unregisterController(req)
	case *kmsg.AllocateProducerIDsRequest:
		return m.allocateProducerIDs(req)
	case *kmsg.AssignReplicasToDirsRequest:
		return m.assignReplicasToDirs(req)
	case *kmsg.CreateTopicsRequest:
		return m.createTopics(req)
	case *kmsg.DeleteTopicsRequest:
		return m.deleteTopics(req)
	case *kmsg.CreatePartitionsRequest:
		return m.createPartitions(req)
	case *kmsg.IncrementalAlterConfigsRequest:
		return m.incrementalAlterConfigs(req)
	case *kmsg.AlterConfigsRequest:
		return m.alterConfigs(req)
	case *kmsg.ElectLeadersRequest:
		return m.electLeaders(req)
	case *kmsg.UpdateFeaturesRequest:
		return m.updateFeatures(req)
	case *kmsg.AlterPartitionAssignmentsRequest:
		return m.alterPartitionAssignments(req)
	case *kmsg.ListPartitionReassignmentsRequest:
		return m.listPartitionReassignments(req)
	}
	return nil, nil
}
