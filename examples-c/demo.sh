#!/bin/sh
# Runs the demo: starts the server $1, runs the program $2 against it, and stops the server, however
# the demo ends. `make demo` builds both and calls this.
set -eu

server=$1
program=$2
folder=$(mktemp -d "${TMPDIR:-/tmp}/sio-demo.XXXXXX")
pids=

finish() {
    status=$?
    trap - EXIT
    trap '' INT TERM HUP
    # Whoever was just started, and does not heed signals yet, ends by this.
    exec 4>&-
    for pid in $pids; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$folder"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# The server ends with its stdin, of which only this script holds the other end, and the program is
# ended with the same: even if the script is killed, nothing is left behind.
mkfifo "$folder/stdin" "$folder/stdout"
exec 4<>"$folder/stdin" 5<"$folder/stdin"
"$server" --until-eof <&5 2>&1 >"$folder/stdout" 4>&- 5<&- &
pids=$!

word='' port=''
read -r word port <"$folder/stdout" || true
if [ "$word" != LISTENING ]; then
    echo "demo: the server did not start" >&2
    exit 1
fi
echo "server | the demo server (socketioxide) listens on port $port"
# A program in the foreground would hold up the traps.
"$program" "http://127.0.0.1:$port" 4>&- 5<&- &
client=$!
{ read -r word || kill "$client" 2>/dev/null; } <&5 >/dev/null 2>&1 4>&- 5<&- &
pids="$! $client $pids"
wait "$client"
