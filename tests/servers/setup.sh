#!/bin/sh
# Installs what the node and python test servers need, into their own folders: node_modules by
# `npm ci`, and a virtual environment by pip. What is up to date is left alone.
set -eu

here=$(cd "$(dirname "$0")" && pwd)

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# up_to_date STAMP TEXT: whether the folder was completed for the same lock file and interpreter.
up_to_date() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

setup_node() {
    command -v node >/dev/null || fail "node is missing: install Node.js 18 or later (apt-get install nodejs npm)"
    command -v npm >/dev/null || fail "npm is missing: install it (apt-get install npm)"
    folder=$here/node
    stamp=$folder/node_modules/.sio-setup
    want="$(node --version) $(cat "$folder/package.json" "$folder/package-lock.json" | cksum)"
    if up_to_date "$stamp" "$want"; then
        say "node server: up to date"
        return
    fi
    say "node server: npm ci (socket.io and what it needs)"
    (cd "$folder" && npm ci --no-audit --no-fund) || fail "npm ci failed in $folder"
    printf '%s\n' "$want" >"$stamp"
}

setup_python() {
    command -v python3 >/dev/null || fail "python3 is missing: install Python 3.10 or later (apt-get install python3 python3-venv)"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        fail "$(python3 --version) is too old: the python servers need 3.10 or later"
    folder=$here/python
    stamp=$folder/.venv/.sio-setup
    want="$(python3 --version) $(cksum <"$folder/requirements.txt")"
    if up_to_date "$stamp" "$want"; then
        say "python servers: up to date"
        return
    fi
    say "python servers: a virtual environment in $folder/.venv"
    rm -rf "$folder/.venv"
    python3 -m venv "$folder/.venv" ||
        fail "python3 -m venv failed: install its module (apt-get install python3-venv)"
    say "python servers: pip install (python-socketio, aiohttp, werkzeug and what they need)"
    "$folder/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --prefer-binary \
        --require-hashes -r "$folder/requirements.txt" || fail "pip install failed"
    printf '%s\n' "$want" >"$stamp"
}

setup_node
setup_python
