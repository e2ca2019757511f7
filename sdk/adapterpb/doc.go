// Package adapterpb is the wire form of the contract in package sdk: the
// protocol (adapter.proto) and the Go code generated from it by generate.sh.
// Only package sdk uses it; adapters and the host speak in sdk's types. Nothing
// here is written by hand but the proto file and this one.
package adapterpb

import _ "embed"

// Source is the protocol as adapters in other languages load it.
//
//go:embed adapter.proto
var Source string
