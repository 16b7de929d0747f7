package clients

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/moldau/moldau/tests/confluent"
	"github.com/moldau/moldau/tests/kafkajvm"
	"github.com/moldau/moldau/tests/node"
)

// notServed is what a client is told that wants transactions, and what the
// node's log says for those that do not show it.
const (
	notServed    = "transactions are not served yet"
	notServedLog = "transactions-not-served"
)

// Transactional producers are refused at once, and told why.
func TestTransactionsAreRefusedByName(t *testing.T) {
	n := node.Start(t, node.Options{})
	createTopic(t, n, "t", 1)
	t.Run("java", func(t *testing.T) {
		out, err := kafkajvm.Tools(t).Try("", producerPerf, "--topic", "t", "--num-records", "1", "--record-size", "1", "--throughput", "-1",
			"--transactional-id", "tx", "--transaction-duration-ms", "1000", "--producer-props", "bootstrap.servers="+n.Kafka)
		if err == nil || !strings.Contains(err.Error(), notServed) {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("librdkafka", func(t *testing.T) {
		out, err := exec.Command(confluent.Python(t), filepath.Join("testdata", "transaction.py"), n.Kafka).CombinedOutput()
		if err == nil || !strings.Contains(string(out), notServed) {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("franz-go", func(t *testing.T) { // shows the code alone
		if err := franz(t, n, kgo.TransactionalID("tx")).BeginTransaction(); err == nil {
			t.Error("a transaction begins")
		}
		if !strings.Contains(n.Log(), notServedLog) {
			t.Errorf("the log does not say %q:\n%s", notServedLog, n.Log())
		}
	})
}
