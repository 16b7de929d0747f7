package api

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

//go:generate go test -run TestDocsAreCurrent . -write-docs

var writeDocs = flag.Bool("write-docs", false, "write docs/protocol.md anew")

const docsHead = `# Protocol

Generated from the tables of package broker/api by ` + "`make docs`" + `; do not edit.

Kafka's protocol as of 4.4. A version that ApiVersions names is served; a request of another key or version closes its connection,
and the log says which. Only ApiVersions of an unknown version is answered, so that a client can step down.

- Produce is named from version %d on, because older clients turn compression off otherwise; versions below %d are refused.
- Transactional ids and transactional batches are refused (CLUSTER_AUTHORIZATION_FAILED by FindCoordinator, with a message;
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED by InitProducerId, INVALID_TXN_STATE by Produce), and so are the coordinators of share groups.
- Requests about ACLs are answered SECURITY_DISABLED, as Kafka does without an authorizer.
- No reassignment can be begun; listing them gives an empty list.

`

// docs is docs/protocol.md.
func docs() string {
	var b strings.Builder
	fmt.Fprintf(&b, docsHead, advertisedProduceMin, brokerKeys[0].min)
	table := func(title string, keys []keyRange) {
		fmt.Fprintf(&b, "## %s\n\n| key | request | versions |\n|---|---|---|\n", title)
		for _, k := range keys {
			versions := fmt.Sprintf("%d to %d", k.min, k.max)
			if k.min == k.max {
				versions = fmt.Sprint(k.min)
			}
			fmt.Fprintf(&b, "| %d | %s | %s |\n", k.key, kmsg.NameForKey(k.key), versions)
		}
		b.WriteString("\n")
	}
	table("On listeners for clients", brokerKeys[:])
	table("On controller listeners", controllerKeys[:])
	b.WriteString("## Not served yet\n\nKeys of Kafka 4.4 that no listener serves:\n")
	served := make(map[int16]bool)
	for _, k := range append(brokerKeys[:], controllerKeys[:]...) {
		served[k.key] = true
	}
	sep := "\n"
	for key := range int16(kmsg.MaxKey + 1) {
		if name := kmsg.NameForKey(key); !served[key] && kmsg.RequestForKey(key) != nil && !removed[key] {
			fmt.Fprintf(&b, "%s%s (%d)", sep, name, key)
			sep = ",\n"
		}
	}
	b.WriteString(".\n")
	return b.String()
}

// removed are the keys that Kafka 4 has taken away.
var removed = map[int16]bool{4: true, 5: true, 6: true, 7: true}

func TestDocsAreCurrent(t *testing.T) {
	const path = "../../docs/protocol.md"
	if *writeDocs {
		if err := os.WriteFile(path, []byte(docs()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != docs() {
		t.Error("docs/protocol.md is not what the tables say: run go generate ./broker/api")
	}
}
