// Package observe shows a node to operators over HTTP: /metrics for
// Prometheus, /healthz and /readyz for supervisors, /debug/pprof for
// profiles.
//
//	node ─ Source.Snapshot ─► collector ─► /metrics
//	     ─ Live, Ready ─────► /healthz, /readyz
//	event stream ─► Counter ─► moldau_events_total
//
// It is one adapter of plain numbers: who has them fills a Snapshot at each
// scrape; nobody below knows Prometheus. Names are those that the usual
// exporter of Apache Kafka's metrics gives, so that its dashboards work; what
// Kafka does not have begins with moldau_. Labels come from the node's own
// tables, never from what a client sends, and their number is bounded.
//
// What it is NOT: it measures nothing itself, and it is no way in: whoever can
// reach the address can read metrics and profiles, so it listens on this
// machine only unless told otherwise.
package observe
