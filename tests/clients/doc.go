// Package clients holds the tests with real clients: kcat, confluent-kafka,
// franz-go and Kafka's Java tools, each against the real binary. Each produces
// keys, headers and every codec, and reads back what each of the others wrote,
// byte for byte, with and without a group.
package clients
