#!/bin/sh
# `make demo`: that it shows every step, works twice in a row, says when a step fails, and leaves no
# server behind, however it ends.
set -eu
. "$(dirname "$0")/support.sh"

# Also what a killed demo leaves is then removed.
export TMPDIR="$work"

demo=$top/examples-c/demo.sh
program=$TARGET_DIR/library/demo

demo_works() { "$MAKE" -C "$top" --no-print-directory demo >"$work/said" 2>&1 || { cat "$work/said"; return 1; }; }
says() { has "$(cat "$work/said")" "$1"; }

check "make demo works" demo_works
for step in " 1/14 polling" " 2/14 call" " 3/14 binary" " 4/14 disconnect" " 5/14 connect" \
    " 6/14 upgrade" " 7/14 emit" " 8/14 receive" " 9/14 call" "10/14 binary" "11/14 answer" \
    "12/14 restart" "13/14 buffered" "14/14 disconnect" "all 14 steps were seen to work"; do
    check "it shows \"$step\"" says "client | $step"
done
for line in "connects by polling" "is carried by polling" "is carried by websocket" "hello comes from" \
    "add 2 and 3: 5" "reverse 262144 bytes" "which is right" "restarts: all connections are cut" \
    "is back, and knows of no session" "has left"; do
    check "the server tells \"$line\"" says "$line"
done
states() { sed -n -E 's/^client \|       (connected|disconnected) .*/\1/p' "$work/said" | tr '\n' ' '; }
check "it shows the states as they come" same \
    "connected disconnected connected disconnected connected disconnected " "$(states)"
check "it tells when the next attempt is made" says ", next attempt in "
check "and of an attempt that failed" says "Connection refused"
quick() { [ $(($(date +%s) - begun)) -lt 20 ]; }
no_colours() { ! grep -q "$(printf '\033')" "$work/said"; }
check "there are no colours where it is no terminal" no_colours
begun=$(date +%s)
check "make demo works again" demo_works
check "within 20 s" quick

# From here on the script alone, with a server that leaves its process id behind.
cat >"$work/server" <<END
#!/bin/sh
echo \$\$ >"$work/server.pid"
exec "$DEMO_SERVER" "\$@"
END
cat >"$work/endless" <<END
#!/bin/sh
echo endless
sleep 8
END
cat >"$work/client" <<END
#!/bin/sh
echo \$\$ >"$work/client.pid"
exec "$program" "\$@"
END
chmod +x "$work/server" "$work/endless" "$work/client"

gone() {
    tries=0
    while kill -0 "$(cat "$work/$1.pid")" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 50 ] || { echo "the $1 runs on"; return 1; }
        sleep 0.1
    done
}
server_gone() { gone server; }
client_gone() { gone client; }
demo_fails() {
    if sh "$demo" "$@" >"$work/said" 2>&1; then return 1; fi
}

check "the script works by itself" sh "$demo" "$work/server" "$program"
check "its server has ended" server_gone
check "a program that fails fails the demo" demo_fails "$work/server" false
check "its server has ended" server_gone
check "a server that does not start fails the demo" demo_fails false "$program"
check "and is named" says "the server did not start"

# A shell gives its background processes an ignored SIGINT, nohup an ignored SIGHUP, and a script cannot
# trap what was ignored when it began.
cat >"$work/ended.py" <<'END'
import os, signal, subprocess, sys

name, awaited, *command = sys.argv[1:]
number = getattr(signal, name)

def heed_signals():
    for each in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(each, signal.SIG_DFL)

demo = subprocess.Popen(
    command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    preexec_fn=heed_signals,
)
while awaited.encode() not in demo.stdout.readline():
    assert demo.poll() is None, "the demo did not get there"
# Ctrl-C goes to the whole group, the others to the script alone.
(os.killpg if name == "SIGINT" else os.kill)(demo.pid, number)
status = demo.wait(5)
assert status == (-number if name == "SIGKILL" else 128 + number), status
END
for signal in SIGINT SIGTERM SIGHUP SIGKILL; do
    check "the demo ends at $signal" \
        python3 "$work/ended.py" $signal endless sh "$demo" "$work/server" "$work/endless"
    check "its server has ended" server_gone
    check "it ends at $signal while the server restarts" python3 "$work/ended.py" $signal \
        "restarts: all" sh "$demo" "$work/server" "$work/client"
    check "its server has ended" server_gone
    check "its program has ended" client_gone
done

cat >"$work/terminal.py" <<'END'
import os, pty, sys

output = bytearray()
def read(fd):
    data = os.read(fd, 4096)
    output.extend(data)
    return data
status = pty.spawn(sys.argv[1:], read)
assert status == 0, status
assert b"\x1b[32mok" in output and b"\x1b[36mserver" in output, "no colours"
END
check "there are colours on a terminal" \
    env TERM=xterm python3 "$work/terminal.py" sh "$demo" "$work/server" "$program"
