#!/bin/sh
# Installs the peers that the benchmark compares with, into their own folders: socket.io-client by
# `npm ci`, python-socketio by pip into a virtual environment, rust_socketio by cargo. All are pinned
# by lock files with checksums. What is up to date is left alone.
set -eu

clients=$(cd "$(dirname "$0")/clients" && pwd)
CARGO=${CARGO:-cargo}

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
    stamp=$clients/node_modules/.sio-setup
    want="$(node --version) $(cat "$clients/package.json" "$clients/package-lock.json" | cksum)"
    if up_to_date "$stamp" "$want"; then
        say "[1/3] socket.io-client: up to date"
        return
    fi
    say "[1/3] socket.io-client: npm ci"
    (cd "$clients" && npm ci --no-audit --no-fund) || fail "npm ci failed in $clients"
    # npm goes on without the optional native parts where they do not build; the comparison would be unfair.
    (cd "$clients" && node -e 'require("bufferutil"); require("utf-8-validate")') ||
        fail "the native parts of socket.io-client are missing"
    printf '%s\n' "$want" >"$stamp"
}

setup_python() {
    command -v python3 >/dev/null || fail "python3 is missing: install Python 3.11 or later (apt-get install python3 python3-venv)"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$(python3 --version) is too old: the benchmark needs 3.11 or later"
    venv=$clients/.venv
    stamp=$venv/.sio-setup
    want="$(python3 --version) $(cksum <"$clients/requirements.txt")"
    if up_to_date "$stamp" "$want"; then
        say "[2/3] python-socketio: up to date"
        return
    fi
    say "[2/3] python-socketio: a virtual environment in $venv"
    rm -rf "$venv"
    python3 -m venv "$venv" || fail "python3 -m venv failed: install its module (apt-get install python3-venv)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --prefer-binary \
        --require-hashes -r "$clients/requirements.txt" || fail "pip install failed"
    printf '%s\n' "$want" >"$stamp"
}

# cargo itself knows what is up to date. The folder is its own, whatever CARGO_TARGET_DIR says for the library.
setup_rust() {
    say "[3/3] rust_socketio: cargo build; from nothing that takes some minutes"
    "$CARGO" build --release --locked --manifest-path "$clients/rust_socketio/Cargo.toml" \
        --target-dir "$clients/rust_socketio/target" || fail "cargo build failed in $clients/rust_socketio"
}

setup_node
setup_python
setup_rust
