# What the shell tests share; each of them sources this file. It owns a folder of their own, the
# servers that they start, and the count of checks.

tests=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$tests")
test_name=$(basename "$0" .sh)
MAKE=${MAKE:-make}
# What a make above this one says about itself would reach the ones that are tested.
unset MAKEFLAGS MFLAGS MAKELEVEL
TARGET_DIR=${CARGO_TARGET_DIR:-$top/target}
DEMO_SERVER=$TARGET_DIR/debug/examples/demo_server

work=$(mktemp -d "${TMPDIR:-/tmp}/sio-$test_name.XXXXXX")
server_pids=
passed=0

# The test's end, whatever leads to it. Servers also end by themselves when fd 9 is closed.
finish() {
    status=$?
    trap - EXIT
    for pid in $server_pids; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
    if [ "$status" = 0 ]; then
        printf '%s: %d passed, 0 failed\n' "$test_name" "$passed"
    else
        printf '%s: %d passed, 1 failed\n' "$test_name" "$passed"
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkfifo "$work/stdin"
exec 9<>"$work/stdin"

fail() {
    printf 'FAILED %s\n' "$*" >&2
    exit 1
}

# check WHAT COMMAND...: the command must succeed. Its output is shown only if it does not.
check() {
    what=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        passed=$((passed + 1))
        printf '  ok  %s\n' "$what"
    else
        printf '%s\n' "---- $*" >&2
        cat "$work/output" >&2
        fail "$what"
    fi
}

# same EXPECTED ACTUAL: what a check may ask.
same() {
    [ "$1" = "$2" ] && return
    printf 'expected: %s\nfound:    %s\n' "$1" "$2"
    return 1
}

# has TEXT PART: whether the part is in the text.
has() {
    case $1 in *"$2"*) return 0 ;; esac
    printf 'expected: %s\nin:       %s\n' "$2" "$1"
    return 1
}

# start_server COMMAND...: starts a server that says `LISTENING port`, and sets `url` and
# `server_pid`.
start_server() {
    port_file=$work/server.$passed
    : >"$port_file"
    "$@" <"$work/stdin" >"$port_file" 2>"$port_file.err" 9>&- &
    server_pid=$!
    server_pids="$server_pids $server_pid"
    tries=0
    until grep -q '^LISTENING ' "$port_file"; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { cat "$port_file.err" >&2; fail "$* did not start"; }
        sleep 0.1
    done
    url=http://127.0.0.1:$(sed -n 's/^LISTENING //p' "$port_file")
}

stop_server() {
    kill "$server_pid"
    wait "$server_pid" 2>/dev/null || true
}

start_node_server() { start_server node "$tests/servers/node/server.js"; }
start_demo_server() { start_server "$DEMO_SERVER" --until-eof; }

# until_said FILE TEXT: waits until a program that runs has written the text to the file.
until_said() {
    tries=0
    until grep -q -F -- "$2" "$1"; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { cat "$1" >&2; fail "\"$2\" was not said"; }
        sleep 0.1
    done
}

# install_library VARIABLE=VALUE...: `make install` from the tree as it is built, without cargo.
install_library() { "$MAKE" -C "$top" --no-print-directory install CARGO=false "$@"; }
