#!/bin/sh
# All tests, one step after another; `make test` calls it. The first step that fails ends it.
set -eu

cd "$(dirname "$0")/.."
CARGO=${CARGO:-cargo}
MAKE=${MAKE:-make}
STEPS=12

output=$(mktemp "${TMPDIR:-/tmp}/sio-test.XXXXXX")
trap 'rm -f "$output" "$output.status"' EXIT
number=0
begun=$(date +%s)

# step WHAT COMMAND...: says where the tests are, and runs the command.
step() {
    number=$((number + 1))
    what=$1
    shift
    printf '\n[%d/%d] %s: %s\n' "$number" "$STEPS" "$what" "$*"
    since=$(date +%s)
    # Shown as it comes, and kept for the count at the end.
    { status=0 && "$@" </dev/null 2>&1 || status=$?; echo "$status" >"$output.status"; } |
        tee -a "$output"
    read -r status <"$output.status"
    if [ "$status" != 0 ]; then
        printf '\n[%d/%d] %s FAILED (exit status %d)\n' "$number" "$STEPS" "$what" "$status"
        exit 1
    fi
    printf '[%d/%d] %s: good, %d s\n' "$number" "$STEPS" "$what" $(($(date +%s) - since))
}

step "set-up" sh tests/setup.sh
step "formatting" "$CARGO" fmt --check
step "clippy" "$CARGO" clippy --all-targets -- -D warnings
step "unit and integration tests" "$CARGO" test --no-fail-fast
step "library" "$MAKE" --no-print-directory all
step "what a message costs" sh tests/gate.sh
step "install" sh tests/install.sh
step "examples in C" sh tests/examples.sh
step "programs of the README" sh tests/readme.sh
step "Python package" sh tests/python.sh
step "benchmark" sh tests/bench.sh
step "demo" sh tests/demo.sh

# Both cargo ("test result: ok. 5 passed; 0 failed; 0 ignored") and the scripts ("install: 5 passed, 0
# failed") close with their counts.
counted() { grep -E '^(test result: |[a-z]+: [0-9]+ passed)' "$output" | grep -oE "[0-9]+ $1" | awk '{ sum += $1 } END { print sum + 0 }'; }
passed=$(counted passed)
failed=$(counted failed)
ignored=$(counted ignored)
printf '\nmake test took %d s\n' $(($(date +%s) - begun))
if [ "$ignored" != 0 ]; then
    printf '%d tests were ignored; here a test is run or does not exist\n' "$ignored"
    exit 1
fi
[ "$passed" != 0 ] || { echo "no test was counted"; exit 1; }
printf '%d passed, %d failed\n' "$passed" "$failed"
