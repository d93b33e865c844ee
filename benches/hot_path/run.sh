#!/usr/bin/env bash
# Measures the hot path: a C program over the release library against a canned websocket server,
# both on one core for processor time, and calls beside those of npm socket.io-client in the same
# run, rounds in turn. Prints each round and the medians. Needs `make` to have been run.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
rounds=${1:-5}

[ -d node_modules/socket.io-client ] || npm ci
echo "building the canned server and the C program ..."
(cd "$root" && make && cargo build --release --quiet --example bench_server)
cc -std=c99 -O2 -Wall -Wextra -Wpedantic -I "$root/include" client.c -o client \
    -L "$root/target/library" -lsio -Wl,-rpath,'$ORIGIN'
ln -sf "$root/target/library/libsio.so" libsio.so.0

exec 3> >(exec taskset -c 0 "$root/target/release/examples/bench_server" > port.txt)
trap 'exec 3>&-' EXIT
for _ in $(seq 100); do [ -s port.txt ] && break; sleep 0.05; done
port=$(awk '{print $2}' port.txt)

median() { sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
: > rounds.txt
for round in $(seq "$rounds"); do
    pinned=$(taskset -c 0 ./client "$port")
    dense=$(taskset -c 0 ./client "$port" 1000000 1)
    free=$(./client "$port" 100000)
    node=$(node calls.js "$port")
    echo "$pinned $dense $free $node" >> rounds.txt
    awk -v n="$round" '{r=$1; e=$2; dr=$5; de=$6; c=$11; j=$13} END {
        printf "round %d: receive %s us, emit %s us, dense %s and %s us (pinned); call p50 %s us, node %s us, ratio %.2f\n", n, r, e, dr, de, c, j, c/j}' rounds.txt
done
column() { awk -v column="$1" '{print $column}' rounds.txt | median; }
echo "median processor time, pinned, 64 bytes: receive $(column 1) us, emit $(column 2) us"
echo "the same with many short tokens:         receive $(column 5) us, emit $(column 6) us"
echo "median p50 of a call:                    $(column 11) us, socket.io-client's $(column 13) us"
echo "median of the ratio, round by round:     $(awk '{print $11/$13}' rounds.txt | median)"
