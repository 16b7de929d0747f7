package metaimage

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/moldau/moldau/broker/metaimage/pmap"
	"github.com/moldau/moldau/broker/metarecord"
)

type scramKey struct {
	user      string
	mechanism int8
}

func compareScramKey(a, b scramKey) int {
	return cmp.Or(strings.Compare(a.user, b.user), cmp.Compare(a.mechanism, b.mechanism))
}

func newPartitions() pmap.Map[int32, *Partition] {
	return pmap.New[int32, *Partition](cmp.Compare[int32])
}

// quotaKey is one text for an entity and a quota's name; its order is that of
// the snapshot. Parts are quoted, so that no two entities share a text.
func quotaKey(r *metarecord.ClientQuota) string {
	var b strings.Builder
	for _, e := range r.Entity {
		b.WriteString(strconv.Quote(e.EntityType))
		if e.EntityName != nil {
			b.WriteString(strconv.Quote(*e.EntityName))
		}
		b.WriteByte(' ')
	}
	b.WriteString(r.Key)
	return b.String()
}

// applySecurity applies what the image keeps as records: quotas, SCRAM
// credentials, ACLs, tokens, and what Kafka's migration left behind.
func (e *editor) applySecurity(r metarecord.Record) error {
	switch r := r.(type) {
	case *metarecord.ClientQuota:
		if r.Remove {
			e.quotas.Delete(quotaKey(r))
		} else {
			e.quotas.Set(quotaKey(r), r)
		}
	case *metarecord.UserScramCredential:
		e.scram.Set(scramKey{r.Name, r.Mechanism}, r)
	case *metarecord.RemoveUserScramCredential:
		e.scram.Delete(scramKey{r.Name, r.Mechanism})
	case *metarecord.AccessControlEntry:
		e.acls.Set(r.ID, r)
	case *metarecord.RemoveAccessControlEntry:
		if !e.acls.Delete(r.ID) {
			return fmt.Errorf("no acl %s: %w", r.ID, ErrInvalid)
		}
	case *metarecord.DelegationToken:
		e.tokens.Set(r.TokenID, r)
	case *metarecord.RemoveDelegationToken:
		e.tokens.Delete(r.TokenID)
	case *metarecord.ZkMigrationState:
		e.c.zkMigration = r.ZkMigrationState
	case *metarecord.NoOp:
	default:
		return fmt.Errorf("not known to this image: %w", metarecord.ErrTooNew)
	}
	return nil
}
