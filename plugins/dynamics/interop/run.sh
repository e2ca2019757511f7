#!/bin/sh
# Runs the dynamics-web-api story (issue 5) against the Dataverse simulator: the
# library comes from npm into a temporary directory, everything else stays on the
# loopback interface. Usage: plugins/dynamics/interop/run.sh, from anywhere.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
work=$(mktemp -d)
simulator=
trap '[ -z "$simulator" ] || kill "$simulator" 2>/dev/null; rm -rf "$work"' EXIT INT TERM

command -v npm >/dev/null || { echo "interop: npm is missing; install Node.js" >&2; exit 1; }
(cd "$root" && go build -o "$work/crm-simulator" ./plugins/cmd/crm-simulator)
"$work/crm-simulator" --dynamics 127.0.0.1:0 --admin 127.0.0.1:0 >"$work/addresses" &
simulator=$!
tries=0
until [ -s "$work/addresses" ]; do
	tries=$((tries + 1))
	[ "$tries" -lt 100 ] || { echo "interop: the simulator did not start" >&2; exit 1; }
	sleep 0.1
done
address() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/addresses"; }

cp "$here/story.mjs" "$work/"
(cd "$work" && npm install --silent --no-audit --no-fund --no-save dynamics-web-api@2.5.0)
cd "$work"
SIMULATOR="http://$(address dynamics)" ADMIN="http://$(address admin)/_sim/dynamics" node story.mjs
