#!/bin/sh
# The programs under `examples-c`: that their Makefile builds them by pkg-config alone, without a
# warning from gcc and clang, and that each does what it shows, against the demo server.
# The library and the demo server must have been built before.
set -eu
. "$(dirname "$0")/support.sh"

prefix=$work/prefix
examples=$work/examples-c
bin=$examples/bin
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"

examples_make() { "$MAKE" -C "$examples" --no-print-directory CFLAGS="-O2 -Werror" "$@"; }

check "the library is installed" install_library PREFIX="$prefix"
mkdir "$examples"
cp "$top"/examples-c/*.c "$top/examples-c/Makefile" "$examples"
for compiler in gcc clang; do
    check "$compiler builds all without a warning" examples_make CC=$compiler
    check "make clean" examples_make clean
done
check "the shared library is linked" examples_make
check "a program knows where the library is" has "$(ldd "$bin/hello")" "$prefix/lib/libsio.so"
check "STATIC=1 links the static one instead" examples_make STATIC=1
static_only() { ! ldd "$bin/hello" | grep libsio; }
check "such a program needs no shared library" static_only

start_demo_server

check "hello prints the greeting" same 'greeting ["Hello, world!"]' "$("$bin/hello" "$url")"
ack_said=$("$bin/ack" "$url")
check "ack answers the question" has "$ack_said" "the product of 6 and 7, answering [42]"
check "the server takes its answer as right" has "$ack_said" 'verdict ["right"]'

options_said=$("$bin/options" "$url")
check "options is let in, with header and ticket as they were set" has "$options_said" \
    'the server knows [{"client":"the options example","ticket":"'
tickets() { same 2 "$(printf '%s\n' "$options_said" | sed -n 's/.*"ticket":"\([^"]*\)"}\].*/\1/p' | sort -u | grep -c .)"; }
check "and brings a new ticket to each attempt" tickets
names_file() {
    if "$bin/options" "https${url#http}" "$work/no such file.pem" >"$work/options" 2>&1; then return 1; fi
    has "$(cat "$work/options")" "no such file.pem"
}
check "options names a file that it cannot read" names_file

# What the first thread keeps of itself until the end of the process is "possibly lost", once.
passes_valgrind() {
    valgrind --quiet --leak-check=full --show-leak-kinds=definite,indirect \
        --errors-for-leak-kinds=definite,indirect --error-exitcode=99 "$@"
}
for program in hello ack options libuv demo; do
    check "$program passes valgrind: no error, no leak" passes_valgrind "$bin/$program" "$url"
done
check "libuv --wakeup does too" passes_valgrind "$bin/libuv" --wakeup "$url"
check "and token" passes_valgrind "$bin/token" "$url" 1

head -c 3000000 /dev/urandom >"$work/a \"file\" ⚡"
"$bin/binary" "$url" receive "$work/copy" >"$work/receiver" 2>&1 &
receiver=$!
until_said "$work/receiver" "waiting for a file"
check "binary sends a file" has "$("$bin/binary" "$url" send "$work/a \"file\" ⚡")" \
    "sent 3000000 bytes; the server answers [1]"
check "the receiver ends well" wait "$receiver"
check "it knows the name" has "$(cat "$work/receiver")" 'received "a \"file\" ⚡", 3000000 bytes'
check "the file arrived byte for byte" cmp "$work/a \"file\" ⚡" "$work/copy"
: >"$work/empty"
"$bin/binary" "$url" receive "$work/copy" >"$work/receiver" 2>&1 &
receiver=$!
until_said "$work/receiver" "waiting for a file"
check "binary sends an empty file" has "$("$bin/binary" "$url" send "$work/empty")" "sent 0 bytes"
check "it is received" wait "$receiver"
check "and is empty" cmp "$work/empty" "$work/copy"

# Two chats, each typing from a pipe that stays open as long as its descriptor here.
mkfifo "$work/red" "$work/blue"
exec 7<>"$work/red" 8<>"$work/blue"
"$bin/chat" "$url" 'red "🚀"' <"$work/red" >"$work/red.said" 2>&1 7>&- 8>&- &
red=$!
"$bin/chat" "$url" 'blue\' <"$work/blue" >"$work/blue.said" 2>&1 7>&- 8>&- &
blue=$!
until_said "$work/red.said" "connected"
until_said "$work/blue.said" "connected"
printf '%s\n' 'A "quoted" back\slash, an é and a 🎉' >&7
until_said "$work/blue.said" 'red "🚀": A "quoted" back\slash, an é and a 🎉'
check "chat shows what another typed, quotes and emoji right" true
printf '%s\n' 'Nothing is lost.' >&8
until_said "$work/red.said" 'blue\: Nothing is lost.'
check "and the other way round" true
printf 'no UTF-8: \377\n' >&7
until_said "$work/red.said" "that is not UTF-8 text"
check "chat refuses a line that is not UTF-8, and goes on" kill -0 "$red"
printf 'The last words, without an end of line' >&7
exec 7>&-
check "chat ends well at the end of its input" wait "$red"
until_said "$work/blue.said" 'red "🚀": The last words, without an end of line'
check "its last words have arrived" true

"$bin/interrupt" "$url" >"$work/interrupt" 2>&1 &
interrupted=$!
server_pids="$server_pids $interrupted"
until_said "$work/interrupt" "connected"
printf '%s\n' 'Somebody types.' >&8
until_said "$work/interrupt" 'message [{"name":"blue\\","text":"Somebody types."}]'
check "interrupt shows what arrives" true
kill -INT "$interrupted"
check "interrupt ends well at a signal" wait "$interrupted"
check "it has taken leave" has "$(cat "$work/interrupt")" "taking leave"

# A server that ends and begins again, at the same port.
port=${url##*:}
"$bin/reconnect" "$url" >"$work/reconnect" 2>&1 &
reconnecting=$!
server_pids="$server_pids $reconnecting"
until_said "$work/reconnect" 'greeting ["Hello, once more!"]'
check "reconnect tells the server what it has to know" has "$(cat "$work/reconnect")" "connected as"

stop_server
loses_server() { if wait "$blue"; then return 1; fi; has "$(cat "$work/blue.said")" "the connection is lost"; }
check "chat ends, and says so, when the server goes away" loses_server

times_said() { grep -c -F -- "$2" "$1" || true; }
until_said_times() {
    tries=0
    until [ "$(times_said "$1" "$2")" -ge "$3" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { cat "$1" >&2; fail "\"$2\" was not said $3 times"; }
        sleep 0.1
    done
}
until_said "$work/reconnect" "trying again in"
check "reconnect says that the connection is lost, and what follows" \
    has "$(cat "$work/reconnect")" "disconnected, transport "
start_server "$DEMO_SERVER" --until-eof --port "$port"
until_said_times "$work/reconnect" 'greeting ["Hello, once more!"]' 2
check "it is there again when the server is, and tells it anew" kill -0 "$reconnecting"
kill -INT "$reconnecting"
check "reconnect ends well at a signal" wait "$reconnecting"
stop_server
"$bin/reconnect" "$url" >"$work/reconnect" 2>&1 &
reconnecting=$!
server_pids="$server_pids $reconnecting"
until_said "$work/reconnect" "connecting to"
sleep 0.5
start_server "$DEMO_SERVER" --until-eof --port "$port"
until_said "$work/reconnect" "connected as"
check "reconnect may be started before the server" kill -0 "$reconnecting"
stop_server
until_said "$work/reconnect" "trying again in"
kill -INT "$reconnecting"
check "it ends well while it tries again" wait "$reconnecting"

# The same for programs that run an event loop, and for those that renew a token at each attempt.
start_server "$DEMO_SERVER" --until-eof --port "$port"

for mode in "" --wakeup; do
    # Nothing, or an option.
    # shellcheck disable=SC2086
    libuv_said=$("$bin/libuv" $mode "$url")
    for words in connected 'greeting ["Hello, libuv!"]' 'call 0 is answered: [0]' 'call 4 is answered: [8]' left; do
        check "libuv${mode:+ $mode} says \"$words\"" has "$libuv_said" "$words"
    done
done

: >"$work/glib"
"$bin/glib" "$url" >"$work/glib" 2>&1 7>&- 8>&- &
looping=$!
server_pids="$server_pids $looping"
until_said "$work/glib" "the sum is [1]"
until_said "$work/glib" "the sum is [2]"
check "glib shows sums as they come" has "$(cat "$work/glib")" "connected"
kill -INT "$looping"
check "glib ends well at a signal" wait "$looping"

mkfifo "$work/typed"
exec 6<>"$work/typed"
: >"$work/epoll"
"$bin/epoll" "$url" <"$work/typed" >"$work/epoll" 2>&1 6>&- 7>&- 8>&- &
looping=$!
server_pids="$server_pids $looping"
until_said "$work/epoll" "type a line"
printf 'A "quoted" back\\slash, an é and a 🎉\nand a second line\n' >&6
until_said "$work/epoll" 'viewer: A "quoted" back\slash, an é and a 🎉'
until_said "$work/epoll" 'viewer: and a second line'
check "epoll: what is typed is sent by one client and seen by the other" true
printf 'no UTF-8: \377\n' >&6
until_said "$work/epoll" "that is not UTF-8 text"
stop_server
until_said "$work/epoll" "sender: disconnected, transport "
until_said "$work/epoll" "viewer: disconnected, transport "
check "epoll shows that its connections are lost" kill -0 "$looping"
# The server must not keep what is typed open.
start_server "$DEMO_SERVER" --until-eof --port "$port" 6>&-
until_said_times "$work/epoll" "sender: connected" 2
until_said_times "$work/epoll" "viewer: connected" 2
printf 'Here again.\n' >&6
until_said "$work/epoll" "viewer: Here again."
check "and that they are there again" kill -0 "$looping"
printf 'The last words, without an end of line' >&6
exec 6>&-
check "epoll ends well at the end of its input, having left" wait "$looping"
check "its last words were seen" has "$(cat "$work/epoll")" "viewer: The last words, without an end of line"
no_file() {
    if "$bin/epoll" "$url" <"$work/epoll" >"$work/no_file" 2>&1; then return 1; fi
    has "$(cat "$work/no_file")" "standard input: "
}
check "epoll says that it cannot wait for a file" no_file

# renews_token NAME COMMAND...: each attempt has a token of its own, also those that reach nobody.
renews_token() {
    name=$1
    shift
    : >"$work/$name"
    "$@" "$url" 2 >"$work/$name" 2>&1 7>&- 8>&- &
    renewing=$!
    server_pids="$server_pids $renewing"
    until_said "$work/$name" 'connected; the server knows [{"client":"token 1",'
    stop_server
    until_said "$work/$name" "it brings token 3"
    start_server "$DEMO_SERVER" --until-eof --port "$port"
    check "$name ends well when it has been connected twice" wait "$renewing"
    attempts=$(times_said "$work/$name" "an attempt is due; it brings token ")
    check "$name: there were attempts that reached nobody" [ "$attempts" -ge 3 ]
    check "$name: the server was given the tokens of the first attempt and of the last one" same \
        "1 1
$attempts $attempts" "$(sed -n 's/^connected; .*"client":"token \([0-9]*\)","ticket":"[^"]*-\([0-9]*\)".*/\1 \2/p' "$work/$name")"
}
renews_token token "$bin/token"
renews_token token.lua env SIO_LIBRARY="$prefix/lib/libsio.so" luajit "$top/examples-ffi/lua/token.lua"
stop_server

unreachable() {
    example=$1
    shift
    if "$bin/$example" "$url" "$@" >"$work/unreachable" 2>&1; then return 1; fi
    has "$(cat "$work/unreachable")" "the server could not be reached"
}
check "hello says that no server is there" unreachable hello
check "ack says that no server is there" unreachable ack
check "options says that no server is there" unreachable options
check "interrupt says that no server is there" unreachable interrupt
check "binary says that no server is there" unreachable binary receive "$work/copy"
check "chat says that no server is there" unreachable chat red
check "libuv says that no server is there" unreachable libuv
check "glib says that no server is there" unreachable glib
check "epoll says that no server is there" unreachable epoll

start_node_server
check "hello talks with another server" has "$("$bin/hello" "$url")" 'welcome [{"sid":"'
