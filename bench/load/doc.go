// Package load is the driver: it produces and consumes with franz-go what a
// scenario asks for, the same way against either system, and checks
// afterwards that what was acknowledged is in the logs.
//
// Sizes: a GB is 10^9 bytes and counts the records' values only, not what the
// format adds. A scenario's amount is fixed, so both systems do the same work.
package load
