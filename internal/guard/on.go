//go:build explore

package guard

// Switches reports whether rules can be taken out of this program.
const Switches = true
