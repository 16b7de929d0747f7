package engine

import (
	"context"
	"errors"
)

// Config says what to build and where.
type Config struct {
	Engine  Kind
	Package string   // import path or ./path of the guest's main package
	Dir     string   // folder that the go command runs in: the module's
	Out     string   // folder for what is built; "" for out/sim-build in Dir
	Cover   []string // package patterns to count the lines of; none for no coverage
	Tags    []string // build tags beside the simulator's own
}

// Guest is a program that was built for an engine.
type Guest struct {
	Engine      Kind
	Hash        string // of the program, hexadecimal
	OverlayHash string // of the patches to the runtime, hexadecimal
	GoVersion   string // as the go command says it
	Path        string // the program: an ELF file or a wasm module
}

// errNotYet ends what the skeleton cannot do.
var errNotYet = errors.New("engine: being built")

// Choose returns the engine by its name, "native" or "wasm". With "" it is
// native where the overlay knows the installed toolchain, else wasm, and note
// is the one line that tells the user so.
func Choose(name string) (kind Kind, note string, err error) { return 0, "", errNotYet }

// Build builds the guest.
func Build(ctx context.Context, c Config) (*Guest, error) { return nil, errNotYet }

// Run runs the guest once. A guest that breaks is no error: see Result.Broken.
// An error is a parameter out of range or a machine in trouble; or ctx ended,
// and the guest with it.
func (g *Guest) Run(ctx context.Context, p Params) (Result, error) { return Result{}, errNotYet }
