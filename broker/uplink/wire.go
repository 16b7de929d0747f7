package uplink

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
)

// codeError is an error code that a controller answered.
type codeError struct {
	what string
	code kafka.ErrorCode
}

func (e codeError) Error() string { return fmt.Sprintf("%s: %s", e.what, e.code) }

// Unwrap is the code, for errors.Is.
func (e codeError) Unwrap() error { return e.code }

// wireError is nil for no error. A code that cannot go away by itself is fatal.
func wireError(what string, code int16) error {
	if code == int16(kafka.ErrNone) {
		return nil
	}
	err := codeError{what, kafka.ErrorCode(code)}
	if err.code == kafka.ErrInconsistentClusterID {
		return fatalError{err}
	}
	return err
}

// notController reports whether the answer says that another controller must
// be asked, wherever the answer has its place for that.
func notController(resp kmsg.Response) bool {
	code := int16(0)
	switch r := resp.(type) {
	case *kmsg.FetchResponse:
		return fetchElsewhere(r)
	case *kmsg.BrokerRegistrationResponse:
		code = r.ErrorCode
	case *kmsg.BrokerHeartbeatResponse:
		code = r.ErrorCode
	case *kmsg.AllocateProducerIDsResponse:
		code = r.ErrorCode
	case *kmsg.AlterPartitionResponse:
		code = r.ErrorCode
	case *kmsg.AssignReplicasToDirsResponse:
		code = r.ErrorCode
	case *kmsg.ElectLeadersResponse:
		code = r.ErrorCode
	case *kmsg.UpdateFeaturesResponse:
		code = r.ErrorCode
	case *kmsg.UnregisterBrokerResponse:
		code = r.ErrorCode
	case *kmsg.UnregisterControllerResponse:
		code = r.ErrorCode
	case *kmsg.ControllerRegistrationResponse:
		code = r.ErrorCode
	case *kmsg.AlterPartitionAssignmentsResponse:
		code = r.ErrorCode
	case *kmsg.ListPartitionReassignmentsResponse:
		code = r.ErrorCode
	case *kmsg.CreateTopicsResponse:
		code = firstCode(r.Topics, func(t kmsg.CreateTopicsResponseTopic) int16 { return t.ErrorCode })
	case *kmsg.DeleteTopicsResponse:
		code = firstCode(r.Topics, func(t kmsg.DeleteTopicsResponseTopic) int16 { return t.ErrorCode })
	case *kmsg.CreatePartitionsResponse:
		code = firstCode(r.Topics, func(t kmsg.CreatePartitionsResponseTopic) int16 { return t.ErrorCode })
	case *kmsg.AlterConfigsResponse:
		code = firstCode(r.Resources, func(t kmsg.AlterConfigsResponseResource) int16 { return t.ErrorCode })
	case *kmsg.IncrementalAlterConfigsResponse:
		code = firstCode(r.Resources, func(t kmsg.IncrementalAlterConfigsResponseResource) int16 { return t.ErrorCode })
	case *kmsg.AddRaftVoterResponse:
		code = r.ErrorCode
	case *kmsg.RemoveRaftVoterResponse:
		code = r.ErrorCode
	case *kmsg.DescribeQuorumResponse:
		return describeElsewhere(r)
	}
	return code == int16(kafka.ErrNotController)
}

func firstCode[T any](items []T, code func(T) int16) int16 {
	if len(items) == 0 {
		return 0
	}
	return code(items[0])
}

func describeElsewhere(r *kmsg.DescribeQuorumResponse) bool {
	if r.ErrorCode == int16(kafka.ErrNotController) {
		return true
	}
	return len(r.Topics) == 1 && len(r.Topics[0].Partitions) == 1 &&
		r.Topics[0].Partitions[0].ErrorCode == int16(kafka.ErrNotLeaderOrFollower)
}

func fetchElsewhere(r *kmsg.FetchResponse) bool {
	if r.ErrorCode == int16(kafka.ErrNotController) {
		return true
	}
	return len(r.Topics) == 1 && len(r.Topics[0].Partitions) == 1 &&
		r.Topics[0].Partitions[0].ErrorCode == int16(kafka.ErrNotLeaderOrFollower)
}
