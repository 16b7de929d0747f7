//go:build wasip1

// Command wasmworker runs no guests inside a guest.
package main

func main() {}
