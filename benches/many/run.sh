#!/usr/bin/env bash
# Measures what many clients in one process and one event loop cost while they are connected and idle:
# memory, threads, descriptors and processor time of each, by websocket and by polling.
#
#     run.sh [CLIENTS [SECONDS]]
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
target=${CARGO_TARGET_DIR:-$root/target}

echo "building the test server and the C program ..."
(cd "$root" && make && cargo build --release --quiet --example test_server)
cc -std=c99 -O2 -Wall -Wextra -Wpedantic -I "$root/include" many.c -o many \
    -L "$target/library" -lsio -Wl,-rpath,"$target/library"

# The server ends with its stdin.
exec 3> >(ulimit -n "$(ulimit -Hn)" && exec "$target/release/examples/test_server" >port.out)
trap 'exec 3>&-' EXIT
for _ in $(seq 100); do [ -s port.out ] && break; sleep 0.05; done
port=$(awk '{print $2}' port.out)
for transports in websocket polling polling,websocket; do
    ./many "$port" "${1:-1000}" "${2:-10}" "$transports"
done
