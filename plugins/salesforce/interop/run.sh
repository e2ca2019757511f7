#!/bin/sh
# Runs jsforce, unmodified, against the simulator: proof that the simulator speaks
# Salesforce's language and not only ours. Installs jsforce from npm into a
# temporary directory; everything stays on loopback.
set -eu

# The newest release that runs on Node.js 18 to 20; later ones want 22.
CLIENT=jsforce@3.10.16

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
work=$(mktemp -d)
simulator=
cleanup() {
	[ -z "$simulator" ] || kill "$simulator" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT INT TERM

command -v npm >/dev/null || { echo "interop: npm is missing; install Node.js" >&2; exit 1; }
(cd "$root" && go build -o "$work/crm-simulator" ./plugins/cmd/crm-simulator)
(cd "$work" && npm init -y >/dev/null && npm install --no-audit --no-fund --silent "$CLIENT")
cp "$here/story.mjs" "$work/story.mjs"

"$work/crm-simulator" --salesforce 127.0.0.1:0 --admin 127.0.0.1:0 >"$work/addresses" &
simulator=$!
tries=0
until [ -s "$work/addresses" ]; do
	tries=$((tries + 1))
	[ "$tries" -lt 100 ] || { echo "interop: the simulator does not start" >&2; exit 1; }
	sleep 0.1
done
cd "$work" && node story.mjs "$(cat addresses)"
