package group

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
)

// groupType is the type of all groups here, as ListGroups names it.
const groupType = "classic"

// handleList is ListGroups (key 16), versions 0 to 5: filter by states from 4
// (KIP-518), by types from 5 (KIP-848). Filters do not care for case; one that
// nothing is called by matches nothing. Sorted by id.
func (m *Machine) handleList(req *coord.Request, r *kmsg.ListGroupsRequest) {
	resp := kmsg.NewPtrListGroupsResponse()
	if len(r.TypesFilter) == 0 || containsFold(r.TypesFilter, groupType) {
		for _, id := range m.groupIDs() {
			g := m.groups[id]
			if len(r.StatesFilter) > 0 && !containsFold(r.StatesFilter, g.state.String()) {
				continue
			}
			resp.Groups = append(resp.Groups, kmsg.ListGroupsResponseGroup{
				Group: id, ProtocolType: g.protocolType, GroupState: g.state.String(), GroupType: groupType,
			})
		}
	}
	m.replyCommitted(req, resp)
}

func containsFold(list []string, s string) bool {
	for _, one := range list {
		if strings.EqualFold(one, s) {
			return true
		}
	}
	return false
}
