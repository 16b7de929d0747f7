package replica

// FollowerFetch answers a follower's fetch: what may be read up to LEO (rule
// L2), or where its log left this one. Its position counts by rule L4.
func (r *Replica) FollowerFetch(now Times, p Position, f Fetch, ready *Ready) FetchAnswer {
	return r.Fetch(f)
}

// DurableReport takes what a follower says between fetches (rule L4).
func (r *Replica) DurableReport(now Times, p Position, ready *Ready) {}

// ProposalDone takes the controller's answer to a Proposal.
func (r *Replica) ProposalDone(now Times, d ProposalResult, ready *Ready) {}

// Followers is what this leader knows of its followers, in the order of
// Replicas; none for a replica that does not lead.
func (r *Replica) Followers() []FollowerState { return nil }
