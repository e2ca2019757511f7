//go:build !linux

package sdk

// hide does nothing where adapters are only developed.
func hide() {}
