#!/usr/bin/env bash
# Measures how long a connect takes, by polling and by websocket, and a call by polling: a C program over
# the release library, npm socket.io-client and python-socketio's SimpleClient, rounds in turn in the same
# run; against a canned server, which shows the client's share, and against npm socket.io. Prints each
# round, and a table of the medians. Needs npm, python3 with venv, and `make setup` for socket.io.
#
#     run.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
rounds=${1:-5}

[ -d node_modules/socket.io-client ] || npm ci
if [ ! -e .venv/.complete ]; then
    rm -rf .venv
    python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
    touch .venv/.complete
fi
echo "building the canned server and the C program ..."
(cd "$root" && make && cargo build --release --quiet --example bench_server)
cc -std=c99 -O2 -Wall -Wextra -Wpedantic -I "$root/include" client.c -o client \
    -L "$target/library" -lsio -Wl,-rpath,'$ORIGIN'
ln -sf "$target/library/libsio.so" libsio.so.0

# Both servers end with their stdin.
exec 3> >(exec "$target/release/examples/bench_server" >canned.out)
exec 4> >(exec node "$root/tests/servers/node/server.js" >socket.io.out)
trap 'exec 3>&- 4>&-' EXIT
port() {
    for _ in $(seq 100); do [ -s "$1.out" ] && break; sleep 0.05; done
    awk '{print $2}' "$1.out"
}

: >rounds.out
for round in $(seq "$rounds"); do
    for server in canned socket.io; do
        port=$(port "$server")
        sio=$(./client "$port")
        node=$(node client.js "$port")
        python=$(.venv/bin/python client.py "$port")
        echo "$server $sio $node $python" >>rounds.out
        tail -n 1 rounds.out | awk -v round="$round" '{
            printf "round %d, %s: connect by polling %s us, socket.io-client %s, python %s; ", round, $1, $2, $5, $8
            printf "by websocket %s, %s, %s; call by polling %s, %s, %s\n", $3, $6, $9, $4, $7, $10 }'
    done
done

median() { sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
column() { awk -v server="$1" -v column="$2" '$1 == server {print $column}' rounds.out | median; }
ratio() { awk -v server="$1" -v a="$2" -v b="$3" '$1 == server {print $a / $b}' rounds.out | median; }
echo
echo "medians of $rounds rounds, p50 in us; ratios are the medians of each round's"
line='%-10s %-21s %9s %17s %16s %22s %16s\n'
# shellcheck disable=SC2059
printf "$line" server figure sio socket.io-client python-socketio "sio/socket.io-client" "sio/python"
for server in canned socket.io; do
    n=2
    for figure in "connect by polling" "connect by websocket" "call by polling"; do
        # shellcheck disable=SC2059
        printf "$line" "$server" "$figure" "$(column $server $n)" "$(column $server $((n + 3)))" \
            "$(column $server $((n + 6)))" "$(printf %.2f "$(ratio $server $n $((n + 3)))")" \
            "$(printf %.2f "$(ratio $server $n $((n + 6)))")"
        n=$((n + 1))
    done
done
