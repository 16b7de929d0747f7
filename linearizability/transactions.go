package linearizability

import (
	"slices"

	"github.com/moldau/moldau/linearizability/history"
)

// txn is one transaction, as far as its ends are known.
type txn struct {
	commits, aborts []*history.Op
	readFrom        map[string]*history.Op // transactions whose writes it read, with the read
}

// transactions looks at reads of transactional writes: read_committed gives an
// aborted one (G1a) or one of which no commit had been asked (precommitted-read),
// and transactions that read from each other in a circle (G1c). Circles that
// need a write-write edge are not looked for: Kafka lets the writes of open
// transactions interleave (G0) and promises no order between them.
func transactions(r *run) {
	txns := map[string]*txn{}
	get := func(name string) *txn {
		if txns[name] == nil {
			txns[name] = &txn{readFrom: map[string]*history.Op{}}
		}
		return txns[name]
	}
	for _, op := range r.ops {
		switch {
		case op.Txn == nil || op.Outcome == history.OutcomeFailed:
		case op.Txn.Commit:
			get(op.Txn.Txn).commits = append(get(op.Txn.Txn).commits, op)
		default:
			get(op.Txn.Txn).aborts = append(get(op.Txn.Txn).aborts, op)
		}
	}
	for _, p := range r.parts {
		for _, op := range p.reads {
			for _, record := range op.Read.Records {
				a := r.appends[record.Value]
				if a == nil || a.first.Produce.Txn == "" || !op.Read.Committed {
					continue
				}
				writer := a.first.Produce.Txn
				r.readOfTxn(op, a, get(writer))
				if reader := op.Read.Txn; reader != "" && reader != writer {
					get(reader).readFrom[writer] = op
				}
			}
		}
	}
	r.circles(txns)
}

func (r *run) readOfTxn(op *history.Op, a *appended, t *txn) {
	if len(t.commits) == 0 && len(t.aborts) > 0 {
		r.violation("G1a", []*history.Op{a.first, t.aborts[0], op}, "value %x was read, its transaction %s was aborted", a.sent.Value, a.first.Produce.Txn)
		return
	}
	for _, commit := range t.commits {
		if commit.Invoke <= op.Return {
			return
		}
	}
	r.violation("precommitted-read", []*history.Op{a.first, op}, "value %x was read before the commit of its transaction %s was asked for", a.sent.Value, a.first.Produce.Txn)
}

// circles finds transactions that read from each other, by taking away, again
// and again, whoever reads from nobody that is left: what stays lies on a circle
// or reads from one.
func (r *run) circles(txns map[string]*txn) {
	readers, unread := map[string][]string{}, map[string]int{}
	var names, free []string
	for name := range txns {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		unread[name] = len(txns[name].readFrom)
		for from := range txns[name].readFrom {
			readers[from] = append(readers[from], name)
		}
		if unread[name] == 0 {
			free = append(free, name)
		}
	}
	for len(free) > 0 {
		name := free[0]
		free = free[1:]
		delete(unread, name)
		for _, reader := range readers[name] {
			if unread[reader]--; unread[reader] == 0 {
				free = append(free, reader)
			}
		}
	}
	for _, name := range names {
		if _, left := unread[name]; left {
			r.circle(txns, unread, name)
			return
		}
	}
}

// circle follows what is left from one transaction until it comes back.
func (r *run) circle(txns map[string]*txn, left map[string]int, name string) {
	var path []string
	var ops []*history.Op
	for !slices.Contains(path, name) {
		path = append(path, name)
		var from []string
		for candidate := range txns[name].readFrom {
			if _, in := left[candidate]; in {
				from = append(from, candidate)
			}
		}
		slices.Sort(from)
		ops = append(ops, txns[name].readFrom[from[0]])
		name = from[0]
	}
	begin := slices.Index(path, name)
	r.violation("G1c", ops[begin:], "transactions %q each read what the next wrote, in a circle", path[begin:])
}
