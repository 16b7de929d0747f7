// Package peer starts the two systems that are measured, Moldau's node and
// Apache Kafka's, as processes on free ports of this machine, and talks
// Kafka's wire protocol to them where a client library would be in the way of
// a measurement (the first answer after exec).
//
// It is not the tests' harness: nothing is skipped or failed here, every
// failure is an error that the program prints.
package peer
