package engine

// Config says what to build and where.
type Config struct {
	Engine  Kind
	Package string   // import path or ./path of the guest's main package
	Dir     string   // folder that the go command runs in: the module's
	Out     string   // folder for what is built; "" for out/sim-build in Dir
	Cover   []string // package patterns to count the lines of; none for no coverage
	Tags    []string // build tags beside the simulator's own
	// Replace are files of the module that are built with other contents than
	// they have: path below Dir, with slashes, to content.
	Replace map[string][]byte
}

// Guest is a program that was built for an engine.
type Guest struct {
	Engine      Kind
	Hash        string // of the program, hexadecimal
	OverlayHash string // of the patches to the runtime, hexadecimal
	GoVersion   string // as the go command says it
	Path        string // the program: an ELF file or a wasm module

	worker string // the program that runs a wasm module
	cache  string // folder for compiled wasm modules
}
