package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/moldau/moldau/sim/overlay"
)

// Kind is an engine.
type Kind int

// The engines.
const (
	Native Kind = iota + 1
	Wasm
)

func (k Kind) String() string {
	switch k {
	case Native:
		return "native"
	case Wasm:
		return "wasm"
	default:
		return fmt.Sprintf("Kind(%d)", int(k))
	}
}

// Choose returns the engine by its name, "native" or "wasm". With "" it is
// native where the overlay knows the installed toolchain, else wasm, and note
// is the one line that tells the user so.
func Choose(name string) (kind Kind, note string, err error) {
	switch name {
	case "wasm":
		return Wasm, "", nil
	case "native", "":
	default:
		return 0, "", fmt.Errorf("engine %q: the engines are native and wasm", name)
	}
	toolchain, err := installed(context.Background(), "")
	if err != nil {
		return 0, "", err
	}
	_, err = overlay.New(overlay.Native, toolchain)
	switch {
	case err == nil:
		return Native, "", nil
	case name == "" && errors.Is(err, overlay.ErrUnknownToolchain):
		return Wasm, fmt.Sprintf("engine: wasm, as %v", err), nil
	default:
		return 0, "", err
	}
}
