package peer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Root is the repository's root folder.
func Root() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/moldau/moldau").Output()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// BuildMoldau builds the program as `make build` does and returns its path.
// MOLDAU_BINARY names one that is built already.
func BuildMoldau(root string) (string, error) {
	if path := os.Getenv("MOLDAU_BINARY"); path != "" {
		return path, nil
	}
	path := filepath.Join(root, "bin", "moldau-bench")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "./moldau")
	cmd.Dir = filepath.Join(root, "cmd")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build moldau: %w\n%s", err, out)
	}
	return path, nil
}

// Moldau starts a node on free ports, with more flags of `moldau start`.
func Moldau(binary, data string, flags ...string) (*Server, error) {
	addrs, err := FreeAddrs(3)
	if err != nil {
		return nil, err
	}
	return Start(Spec{
		Name: "moldau", Addr: addrs[0], HTTP: addrs[2], Data: data,
		Command: append([]string{binary, "start", "--data", data,
			"--listen", addrs[0], "--controller-listen", addrs[1], "--http", addrs[2]}, flags...),
	})
}
