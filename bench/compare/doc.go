// Package compare runs the same loads against Moldau and Apache Kafka in
// alternation and sums up what was measured.
//
//	round 1:  moldau (os)  kafka        moldau (sync)
//	round 2:  kafka        moldau (os)  moldau (sync)
//	...
//
// Both servers run all the time and are warmed by the same loads. The runs of
// one round belong together: ratios are taken within a round, and the median
// of the ratios is what counts. A run during which others had more of the
// machine than a limit is repeated a few times and then counts for nothing;
// where too few rounds are left there is no number but "too busy to tell".
package compare
