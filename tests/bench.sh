#!/bin/sh
# The benchmark (`make bench`): what its runner computes, and that its programs in C do what they measure. Takes
# no times. `cargo test` and the library must have been built before.
set -eu
. "$(dirname "$0")/support.sh"

clients=$top/benches/clients
server=$TARGET_DIR/debug/examples/bench_server

check "the runner's own tests" python3 -m unittest discover -s "$top/benches/bench" -t "$top/benches"

compile() { # NAME OPTIONS...
    program=$1
    shift
    "${CC:-cc}" -std=c99 -O2 -Wall -Wextra -Wpedantic -Werror -I "$top/include" "$clients/$program.c" \
        -o "$work/$program" "$@"
}
check "the library's program is built" \
    compile sio -L "$TARGET_DIR/library" -lsio "-Wl,-rpath,$TARGET_DIR/library"
check "the limit is built" compile limit
check "the program that starts is built" compile start -ldl

# The server names four ports in one line.
"$server" --ca "$work/ca.pem" <"$work/stdin" >"$work/ports" 9>&- &
server_pids="$server_pids $!"
tries=0
while [ ! -s "$work/ports" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || fail "the server did not say its ports"
    sleep 0.05
done
port() { sed -n "s/.*$1=\([0-9]*\).*/\1/p" "$work/ports"; }
plain=http://127.0.0.1:$(port plain)

# counts COUNT PROGRAM...: it says that it measured so many.
counts() {
    count=$1
    shift
    has "$(timeout 60 "$@")" "\"count\":$count"
}
for payload in "text 64 500" "text 65536 20" "binary 1024 200" "binary 1048576 5"; do
    # The list is of words to be split.
    # shellcheck disable=SC2086
    set -- $payload
    options="kind=$1 bytes=$2 count=$3"
    for transport in websocket polling; do
        for way in recv emit; do
            # shellcheck disable=SC2086
            check "sio, $way by $transport, $1 of $2 bytes" \
                counts "$3" "$work/sio" "$way" url="$plain" transport="$transport" $options
            # shellcheck disable=SC2086
            check "the limit, $way by $transport, $1 of $2 bytes" \
                counts "$3" "$work/limit" copy "$way" url="$plain" transport="$transport" $options
        done
    done
done
for transport in websocket polling; do
    check "sio, calls by $transport" \
        counts 200 "$work/sio" call url="$plain" transport="$transport" open=8 count=200
    check "the limit, calls by $transport" \
        counts 200 "$work/limit" copy call url="$plain" transport="$transport" open=8 count=200
done
check "sio, threads that sleep" counts 50 "$work/sio" sleepers url="$plain" transport=websocket threads=8 count=50
check "sio, what waits" counts 500 "$work/sio" drain url="$plain" transport=websocket bytes=64 count=500
check "sio, the upgrade" counts 3 "$work/sio" connect "url=http://127.0.0.1:$(port upgrade)" transport=upgrade count=3
check "sio, over TLS" counts 100 "$work/sio" recv "url=https://127.0.0.1:$(port tls)" ca="$work/ca.pem" \
    transport=websocket kind=text bytes=64 count=100
idle() { has "$("$work/sio" idle "url=http://127.0.0.1:$(port heartbeat)" transport=websocket clients=3 seconds=2)" kib_each; }
check "sio, idle clients with a heartbeat" idle
start() { "$work/start" start url="$plain" transport=websocket lib="$TARGET_DIR/library/libsio.so.0"; }
check "process start to connected" start
