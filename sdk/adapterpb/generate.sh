#!/bin/sh
# Regenerates adapter.pb.go and adapter_grpc.pb.go from adapter.proto.
# Needs Go; installs Debian's protoc with apt when there is none and it may.
# The generators are pinned here; their output is committed.
set -eu

PROTOC_GEN_GO=google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
PROTOC_GEN_GO_GRPC=google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2

cd "$(dirname "$0")"

if ! command -v protoc >/dev/null; then
	echo "generate: installing protobuf-compiler with apt" >&2
	apt-get install -y --no-install-recommends protobuf-compiler >/dev/null || {
		echo "generate: protoc is missing; install the package protobuf-compiler" >&2
		exit 1
	}
fi

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin go install "$PROTOC_GEN_GO"
GOBIN=$bin go install "$PROTOC_GEN_GO_GRPC"

# The compiler's version stays out of the output, so that another protoc gives
# the same files.
PATH=$bin:$PATH protoc -I .. \
	--go_out=.. --go_opt=paths=source_relative \
	--go-grpc_out=.. --go-grpc_opt=paths=source_relative \
	adapterpb/adapter.proto
sed -i '/^\/\/[[:space:]-]*protoc[[:space:]][[:space:]]*v/d' adapter.pb.go adapter_grpc.pb.go
