package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
)

// Refuse is the answer to a request that no Machine decides, as NOT_COORDINATOR
// or COORDINATOR_LOAD_IN_PROGRESS: the code stands wherever the API has one.
// A heartbeat during the load gets no error, so that the member stays.
func (m *Machine) Refuse(req kmsg.Request, code kafka.ErrorCode) kmsg.Response {
	return Refuse(req, code)
}

// Refuse is the answer to a request of a group API that is refused as a whole.
// It serves every request of the package's APIs; another one's answer is
// returned without a code.
func Refuse(req kmsg.Request, code kafka.ErrorCode) kmsg.Response {
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	switch r := resp.(type) {
	case *kmsg.JoinGroupResponse:
		r.Generation = -1
		r.MemberID, r.ErrorCode = req.(*kmsg.JoinGroupRequest).MemberID, int16(code)
	case *kmsg.SyncGroupResponse:
		r.ErrorCode = int16(code)
	case *kmsg.HeartbeatResponse:
		if code != kafka.ErrCoordinatorLoadInProgress {
			r.ErrorCode = int16(code)
		}
	case *kmsg.LeaveGroupResponse:
		r.ErrorCode = int16(code)
	case *kmsg.ListGroupsResponse:
		r.ErrorCode = int16(code)
	case *kmsg.OffsetDeleteResponse:
		r.ErrorCode = int16(code)
	case *kmsg.OffsetCommitResponse:
		refuseCommit(req.(*kmsg.OffsetCommitRequest), r, code)
	case *kmsg.OffsetFetchResponse:
		refuseFetch(req.(*kmsg.OffsetFetchRequest), r, code)
	case *kmsg.DescribeGroupsResponse:
		for _, id := range req.(*kmsg.DescribeGroupsRequest).Groups {
			r.Groups = append(r.Groups, kmsg.DescribeGroupsResponseGroup{
				Group: id, ErrorCode: int16(code), AuthorizedOperations: authorizedOperationsUnknown,
			})
		}
	case *kmsg.DeleteGroupsResponse:
		for _, id := range req.(*kmsg.DeleteGroupsRequest).Groups {
			r.Groups = append(r.Groups, kmsg.DeleteGroupsResponseGroup{Group: id, ErrorCode: int16(code)})
		}
	}
	return resp
}

func refuseCommit(req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, code kafka.ErrorCode) {
	for i := range req.Topics {
		t := kmsg.OffsetCommitResponseTopic{Topic: req.Topics[i].Topic, TopicID: req.Topics[i].TopicID}
		for j := range req.Topics[i].Partitions {
			t.Partitions = append(t.Partitions, kmsg.OffsetCommitResponseTopicPartition{
				Partition: req.Topics[i].Partitions[j].Partition, ErrorCode: int16(code),
			})
		}
		resp.Topics = append(resp.Topics, t)
	}
}

// refuseFetch puts the code where each version has it: with the group from 8,
// on top from 2, in version 1 with every partition.
func refuseFetch(req *kmsg.OffsetFetchRequest, resp *kmsg.OffsetFetchResponse, code kafka.ErrorCode) {
	if req.Version >= 8 {
		for i := range req.Groups {
			resp.Groups = append(resp.Groups, kmsg.OffsetFetchResponseGroup{Group: req.Groups[i].Group, ErrorCode: int16(code)})
		}
		return
	}
	resp.ErrorCode = int16(code)
	if req.Version >= 2 {
		return
	}
	for i := range req.Topics {
		t := kmsg.OffsetFetchResponseTopic{Topic: req.Topics[i].Topic}
		for _, p := range req.Topics[i].Partitions {
			t.Partitions = append(t.Partitions, kmsg.OffsetFetchResponseTopicPartition{
				Partition: p, Offset: absent, LeaderEpoch: -1, Metadata: ptr(""), ErrorCode: int16(code),
			})
		}
		resp.Topics = append(resp.Topics, t)
	}
}
