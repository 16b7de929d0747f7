package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/moldau/moldau/sim/overlay"
)

// installed asks the go command in dir what it is.
func installed(ctx context.Context, dir string) (overlay.Toolchain, error) {
	out, err := goCommand(ctx, dir, nil, "env", "-json", "GOROOT", "GOVERSION", "GOHOSTOS", "GOHOSTARCH")
	if err != nil {
		return overlay.Toolchain{}, err
	}
	var env struct{ GOROOT, GOVERSION, GOHOSTOS, GOHOSTARCH string }
	if err := json.Unmarshal(out, &env); err != nil {
		return overlay.Toolchain{}, fmt.Errorf("go env: %w", err)
	}
	return overlay.Toolchain{Root: env.GOROOT, Version: env.GOVERSION, Target: env.GOHOSTOS + "/" + env.GOHOSTARCH}, nil
}

// goCommand runs the go command in dir with variables beside the caller's.
func goCommand(ctx context.Context, dir string, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && len(exit.Stderr) > 0 {
			return nil, fmt.Errorf("go %s: %w\n%s", args[0], err, strings.TrimSpace(string(exit.Stderr)))
		}
		return nil, fmt.Errorf("go %s: %w", args[0], err)
	}
	return out, nil
}
