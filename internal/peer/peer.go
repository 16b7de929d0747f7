// Package peer is for tests that need another program: Java, kcat, a Python
// client. A machine may lack one; then the test is skipped in a way that
// nobody can miss: `make test` lists what was skipped at its end, and with
// REQUIRE_PEERS=1, as continuous integration sets it, the skip is a failure.
package peer

import (
	"os"
	"os/exec"
	"testing"
)

const (
	// requireEnv set to 1 makes a skip a failure.
	requireEnv = "REQUIRE_PEERS"
	// skipsEnv names the file to which every skip adds a line.
	skipsEnv = "PEER_SKIPS"
)

// Program returns the path of an installed program, or skips the test.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Skip(t, name, "not installed")
	}
	return path
}

// Skip ends the test for want of a peer.
func Skip(t testing.TB, name, why string) {
	t.Helper()
	if os.Getenv(requireEnv) == "1" {
		t.Fatalf("peer %s: %s, and %s=1 allows no skip", name, why, requireEnv)
	}
	if list := os.Getenv(skipsEnv); list != "" {
		note(t, list, name+": "+why+" ("+t.Name()+")\n")
	}
	t.Skipf("peer %s: %s", name, why)
}

// note appends a line in one write, since packages are tested side by side.
func note(t testing.TB, list, line string) {
	t.Helper()
	f, err := os.OpenFile(list, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(line)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatalf("list of skipped peers: %v", err)
	}
}
