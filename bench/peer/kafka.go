package peer

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Kafka is an installation of Apache Kafka's server.
type Kafka struct{ java, jars string }

// heap is Kafka's usual heap; G1 is the collector of its own start script.
var heap = [...]string{"-Xmx1g", "-Xms1g", "-XX:+UseG1GC"}

// FindKafka returns the server's jars, which Maven fetches once into
// bin/peers. The error says what this machine lacks.
func FindKafka(root string) (Kafka, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return Kafka{}, fmt.Errorf("java is not installed")
	}
	peers := filepath.Join(root, "bin", "peers")
	dir := filepath.Join(peers, "kafka-4.4.0")
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return Kafka{java, dir}, nil
	}
	if err := os.MkdirAll(peers, 0o755); err != nil {
		return Kafka{}, err
	}
	tmp, err := os.MkdirTemp(peers, "kafka-4.4.0.")
	if err != nil {
		return Kafka{}, err
	}
	defer os.RemoveAll(tmp)
	cmd := exec.Command("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory="+tmp)
	cmd.Dir = filepath.Join(root, "tests", "peers", "java", "server")
	if out, err := cmd.CombinedOutput(); err != nil {
		return Kafka{}, fmt.Errorf("fetch Kafka's jars with mvn: %w %s", err, strings.TrimSpace(string(out)))
	}
	if err := os.WriteFile(filepath.Join(tmp, "complete"), nil, 0o644); err != nil {
		return Kafka{}, err
	}
	return Kafka{java, dir}, os.Rename(tmp, dir)
}

// Start formats an empty data directory and starts a node that is broker and
// controller, on free ports.
func (k Kafka) Start(data string) (*Server, error) {
	addrs, err := FreeAddrs(2)
	if err != nil {
		return nil, err
	}
	return k.start(data, newClusterID(), 1, addrs[:1], addrs[1:])
}

// StartCluster formats empty folders of data and starts n nodes, each of them
// broker and controller, on free ports of this machine.
func (k Kafka) StartCluster(data string, n int) (*Cluster, error) {
	addrs, err := FreeAddrs(2 * n)
	if err != nil {
		return nil, err
	}
	id := newClusterID()
	starts := make([]func() (*Server, error), n)
	for i := range n {
		starts[i] = func() (*Server, error) {
			return k.start(filepath.Join(data, fmt.Sprint(i+1)), id, i+1, addrs[:n], addrs[n:])
		}
	}
	return newCluster("kafka", starts)
}

func newClusterID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[0] &= 0x7f           // a text that begins with "-" is an option to Kafka's command
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// start starts node id of the nodes at the addresses.
func (k Kafka) start(data, cluster string, id int, clients, controllers []string) (*Server, error) {
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, err
	}
	properties := data + ".properties"
	if err := os.WriteFile(properties, []byte(kafkaProperties(data, id, clients, controllers)), 0o644); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(data, "meta.properties")); err != nil {
		out, err := k.command(nil, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", properties).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("format Kafka's directory: %w\n%s", err, out)
		}
	}
	cmd := k.command(heap[:], "kafka.Kafka", properties)
	return Start(Spec{Name: "kafka", Addr: clients[id-1], Data: data, Command: cmd.Args})
}

func (k Kafka) command(flags []string, class string, args ...string) *exec.Cmd {
	all := append(append([]string{}, flags...), "-Dlog4j2.level=WARN", "-cp", k.jars+"/*", class)
	return exec.Command(k.java, append(all, args...)...)
}

// kafkaProperties are Kafka's defaults but for the addresses and what fewer
// nodes than its defaults are made for need.
func kafkaProperties(data string, id int, clients, controllers []string) string {
	replicas := min(3, len(clients))
	return strings.Join([]string{
		"process.roles=broker,controller",
		fmt.Sprintf("node.id=%d", id),
		"controller.quorum.voters=" + voters(controllers),
		"listeners=PLAINTEXT://" + clients[id-1] + ",CONTROLLER://" + controllers[id-1],
		"controller.listener.names=CONTROLLER",
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"log.dirs=" + data,
		fmt.Sprintf("offsets.topic.replication.factor=%d", replicas),
		fmt.Sprintf("transaction.state.log.replication.factor=%d", replicas),
		fmt.Sprintf("transaction.state.log.min.isr=%d", min(2, replicas)),
		"",
	}, "\n")
}
