package engine

import "fmt"

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
