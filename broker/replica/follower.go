package replica

// NextAsk is what to fetch next. False while there is nobody to fetch from, or
// the log is not ready: offline, full, appends outstanding, a truncation under way.
func (r *Replica) NextAsk() (Ask, bool) { return Ask{}, false }

// Fetched applies a leader's answer (rules F1, F2, F5).
func (r *Replica) Fetched(now Times, a Answer, ready *Ready) { a.Data.Release() }

// Report is what to tell the leader in a DurableReport; its Broker and
// BrokerEpoch are the caller's to fill in.
func (r *Replica) Report() (Position, bool) { return Position{}, false }

// AppendState appends everything that decides what the replica will do: two
// replicas with the same bytes behave alike. Tokens of requests are not part
// of it, nor what is remembered only to read faster.
func (r *Replica) AppendState(dst []byte) []byte { return dst }
