// Package overlay makes the patches to Go's runtime that a guest is built
// with.
package overlay
