// Package configs holds what is configured by default, embedded in the program:
// the commented host configuration and the sample conversations that `make run`
// feeds in.
package configs

import "embed"

// Host is the default host configuration, clientele.yaml.
//
//go:embed clientele.yaml
var Host []byte

// Samples are the sample conversations and their written expectation; README.md
// there documents the message format.
//
//go:embed samples
var Samples embed.FS
