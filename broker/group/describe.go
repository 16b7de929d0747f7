package group

import (
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
)

// authorizedOperationsUnknown stands where nobody asked for the operations;
// whoever knows the client fills them in.
const authorizedOperationsUnknown = math.MinInt32

// handleDescribe is DescribeGroups (key 15), versions 0 to 6. A group that
// does not exist is Dead, and from 6 an error with a text (KIP-1043).
// Protocol, metadata and assignments are told of a stable group only.
func (m *Machine) handleDescribe(req *coord.Request, r *kmsg.DescribeGroupsRequest) {
	resp := kmsg.NewPtrDescribeGroupsResponse()
	for _, id := range r.Groups {
		if g := m.groups[id]; g != nil {
			resp.Groups = append(resp.Groups, g.describe())
			continue
		}
		dead := kmsg.DescribeGroupsResponseGroup{Group: id, State: Dead.String(), AuthorizedOperations: authorizedOperationsUnknown}
		if r.Version >= 6 {
			dead.ErrorCode = int16(kafka.ErrGroupIDNotFound)
			dead.ErrorMessage = ptr("Group " + id + " not found.")
		}
		resp.Groups = append(resp.Groups, dead)
	}
	m.replyCommitted(req, resp)
}

func (g *group) describe() kmsg.DescribeGroupsResponseGroup {
	out := kmsg.DescribeGroupsResponseGroup{
		Group: g.id, State: g.state.String(), ProtocolType: g.protocolType,
		AuthorizedOperations: authorizedOperationsUnknown,
	}
	stable := g.state == Stable
	if stable {
		out.Protocol = *g.protocol
	}
	for _, mb := range g.members {
		one := kmsg.DescribeGroupsResponseGroupMember{
			MemberID: mb.id, InstanceID: mb.instanceID, ClientID: mb.clientID, ClientHost: mb.clientHost,
		}
		if stable {
			one.ProtocolMetadata, one.MemberAssignment = mb.metadata(*g.protocol), mb.assignment
		}
		out.Members = append(out.Members, one)
	}
	return out
}
