#!/bin/sh
# Makes this machine ready for `make test`: looks for the tools, installs by apt those that are
# missing where it may, otherwise names them and fails; then sets up the test servers.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
say() { printf 'setup: %s\n' "$*"; }

packages=
hints=

# need PACKAGES COMMAND...: the command must succeed; the Debian packages bring it.
need() {
    brought_by=$1
    shift
    "$@" >/dev/null 2>&1 && return
    packages="$packages $brought_by"
    hints="$hints
  $* fails: install $brought_by"
}

look() {
    packages=
    hints=
    need gcc cc --version
    need g++ c++ --version
    need clang clang --version
    need pkg-config pkg-config --version
    # Without the C library's symbols valgrind may refuse to run anything.
    need "valgrind libc6-dbg" valgrind --quiet --error-exitcode=1 true
    # The event loops that the examples are for, and LuaJIT.
    need libuv1-dev pkg-config --exists libuv
    need libglib2.0-dev pkg-config --exists glib-2.0
    need luajit luajit -v
    need nodejs node --version
    need npm npm --version
    need python3 python3 --version
    need python3-venv python3 -c "import ensurepip, venv"
}

look
if [ -n "$packages" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing by apt-get:$packages"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || say "apt-get update failed; trying with the lists that are there"
    # The list is of words to be split.
    # shellcheck disable=SC2086
    apt-get install -qq -y --no-install-recommends $packages </dev/null ||
        say "apt-get install failed"
    look
fi
cargo fmt --version >/dev/null 2>&1 || hints="$hints
  cargo fmt is missing: rustup component add rustfmt"
cargo clippy --version >/dev/null 2>&1 || hints="$hints
  cargo clippy is missing: rustup component add clippy"
if [ -n "$hints" ]; then
    say "the tests need what is missing here:$hints" >&2
    exit 1
fi
say "all tools are here"
sh "$here/servers/setup.sh"
