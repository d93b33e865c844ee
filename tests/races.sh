#!/bin/sh
# Looks for data races in the library: builds a copy of it with ThreadSanitizer, and runs C programs of
# many threads with it. No part of `make test`, since rustc has the tool for its developers only; here
# it is asked for by RUSTC_BOOTSTRAP. docs/races.md tells why, and why not by helgrind.
#
#     sh tests/races.sh [ROUNDS]          # of tests/c/stress.c, 100 if not said
set -eu
. "$(dirname "$0")/support.sh"

rounds=${1:-100}
triple=$(rustc -vV | sed -n 's/^host: //p')
runtime=$(rustc --print target-libdir)/librustc-stable_rt.tsan.a
built=$TARGET_DIR/$triple/debug
flags="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer -Cdebuginfo=1"

check "rustc has the tool" [ -f "$runtime" ]
mkdir "$work/tree"
cp -r "$top/Cargo.toml" "$top/Cargo.lock" "$top/build.rs" "$top/cbindgen.toml" "$top/src" "$top/include" \
    "$top/examples" "$top/benches" "$work/tree"
check "a copy of the library gets locks that the tool sees" \
    python3 "$tests/races/seen.py" "$work/tree" "$tests/races/locks.rs"
build_library() {
    cd "$work/tree"
    RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags" CARGO_TARGET_DIR="$TARGET_DIR" \
        cargo rustc --lib --crate-type cdylib --target "$triple"
}
check "it is built with the tool" build_library
cp "$built/libsio.so" "$work/libsio.so.0"
ln -s libsio.so.0 "$work/libsio.so"

# The programs themselves are not looked at: they tell threads by plain flags when to end.
build_program() {
    cc -std=c99 -D_GNU_SOURCE -g -O1 -pthread -I "$top/include" -c "$tests/$2/$1.c" -o "$work/$1.o"
    c++ -pthread "$work/$1.o" -o "$work/$1" -Wl,--whole-archive "$runtime" -Wl,--no-whole-archive \
        -Wl,--export-dynamic -L"$work" -lsio -Wl,-rpath,"$work" -ldl -lm -lrt
}
# A program that is looked at takes some ten times as long.
export SIO_TEST_SLOW=1
export TSAN_OPTIONS="exitcode=66 history_size=7 suppressions=$tests/races/suppressions"
start_node_server
check "a program with a race is built" build_program planted races
finds_it() {
    if "$work/planted" >"$work/planted.said" 2>&1; then return 1; fi
    has "$(cat "$work/planted.said")" "sio_planted_race"
}
check "the race is found" finds_it
for program in stress threads attempts; do
    check "$program is built" build_program "$program" c
done
check "threads: no race" timeout 600 "$work/threads" "$url"
check "attempts: no race" timeout 600 "$work/attempts" "$url"
check "stress, $rounds rounds: no race" timeout 3000 "$work/stress" "$url" "$rounds"
