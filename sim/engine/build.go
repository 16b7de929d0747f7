package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moldau/moldau/sim/overlay"
)

// workerPackage runs wasm modules.
const workerPackage = "github.com/moldau/moldau/sim/engine/wasmworker"

// hashDigits is how much of a hash stands in a file's name.
const hashDigits = 16

// Build builds the guest. What does not change is not built again.
func Build(ctx context.Context, c Config) (*Guest, error) {
	if c.Engine != Native && c.Engine != Wasm {
		return nil, fmt.Errorf("engine %v: there are only native and wasm", c.Engine)
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, err
	}
	out := c.Out
	if out == "" {
		out = filepath.Join(dir, "out", "sim-build")
	}
	if out, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	b := builder{ctx: ctx, dir: dir, out: out}
	if b.toolchain, err = installed(ctx, dir); err != nil {
		return nil, err
	}
	return b.guest(c)
}

// builder is what the steps of one build share.
type builder struct {
	ctx       context.Context
	dir, out  string
	toolchain overlay.Toolchain
}

func (b *builder) guest(c Config) (*Guest, error) {
	kind, env := overlay.RunQueue, []string{"GOOS=wasip1", "GOARCH=wasm"}
	tags := append([]string{"moldau_sim"}, c.Tags...)
	if c.Engine == Native {
		// The heap begins at a fixed address, as it is seen in the order of maps.
		kind, env = overlay.Native, []string{"GOOS=linux", "GOARCH=amd64", "GOAMD64=v1", "GOEXPERIMENT=norandomizedheapbase64"}
		tags = append(tags, "faketime")
	}
	patches, err := overlay.New(kind, b.toolchain)
	if err != nil {
		return nil, err
	}
	if len(c.Replace) > 0 {
		patches = patches.With(b.dir, c.Replace)
	}
	file, err := b.write(patches)
	if err != nil {
		return nil, err
	}
	flags := []string{"-tags", strings.Join(tags, ","), "-overlay", file}
	if len(c.Cover) > 0 {
		flags = append(flags, "-cover", "-covermode=atomic", "-coverpkg="+strings.Join(c.Cover, ","))
	}
	g := &Guest{Engine: c.Engine, OverlayHash: patches.Hash, GoVersion: b.toolchain.Version}
	if g.Path, g.Hash, err = b.build(c.Engine.String(), env, flags, c.Package); err != nil {
		return nil, err
	}
	if c.Engine == Wasm {
		g.cache = filepath.Join(b.out, "wazero")
		g.worker, _, err = b.build("worker", nil, nil, workerPackage)
	}
	return g, err
}

// write writes an overlay once and returns its JSON file.
func (b *builder) write(o *overlay.Overlay) (string, error) {
	// The underscore keeps these Go files out of ./... of whoever lies above.
	dir := filepath.Join(b.out, "_overlay-"+o.Hash[:hashDigits])
	if file := filepath.Join(dir, "overlay.json"); exists(file) {
		return file, nil
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return "", err
	}
	if _, err := o.Write(dir); err != nil {
		return "", fmt.Errorf("overlay: %w", err)
	}
	return filepath.Join(dir, "overlay.json"), nil
}

// build builds a program and returns its path, which its content names, and
// its hash.
func (b *builder) build(what string, env, flags []string, pkg string) (path, sum string, err error) {
	// The go command leaves a program that is up to date alone, so that each
	// has a place of its own; it is copied from there to where nothing changes.
	key := sha256.Sum256([]byte(strings.Join(append(append([]string{what, pkg}, env...), flags...), "\x00")))
	stage := filepath.Join(b.out, "stage-"+what+"-"+hex.EncodeToString(key[:])[:hashDigits])
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return "", "", err
	}
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-o", stage}, flags...)
	env = append([]string{"CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off"}, env...)
	if _, err := goCommand(b.ctx, b.dir, env, append(args, pkg)...); err != nil {
		return "", "", err
	}
	program, err := os.ReadFile(stage)
	if err != nil {
		return "", "", err
	}
	hash := sha256.Sum256(program)
	sum = hex.EncodeToString(hash[:])
	path = filepath.Join(b.out, what+"-"+sum[:hashDigits])
	if exists(path) {
		return path, sum, nil
	}
	return path, sum, writeProgram(path, program)
}

// writeProgram makes a file that is complete as soon as it has its name.
func writeProgram(path string, program []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(program)
	err = errors.Join(err, f.Chmod(0o755), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
