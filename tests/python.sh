#!/bin/sh
# The Python package: that it installs with pip, alone and with the library in it; that the programs of
# its README run; and its own tests, among them the programs that are run with python-socketio as well.
# The library and the demo server must have been built, and the servers set up, before.
set -eu
. "$(dirname "$0")/support.sh"

package=$top/bindings/python
venv=$package/.venv
library=$TARGET_DIR/library/libsio.so.0
case $library in /*) ;; *) library=$top/$library ;; esac
[ -f "$library" ] || library=${library%.so.0}.0.dylib

# What is up to date is left alone, as by tests/servers/setup.sh.
requirements=$package/tests/requirements.txt
want="$(python3 --version) $(cksum <"$requirements")"
if [ "$(cat "$venv/.sio-setup" 2>/dev/null)" != "$want" ]; then
    rm -rf "$venv"
    check "a virtual environment" python3 -m venv "$venv"
    check "python-socketio, and what it needs" "$venv/bin/python" -m pip install --quiet \
        --disable-pip-version-check --prefer-binary --require-hashes -r "$requirements"
    printf '%s\n' "$want" >"$venv/.sio-setup"
fi
python=$venv/bin/python
pip() { "$python" -m pip --quiet --disable-pip-version-check "$@"; }

# From a folder where the sources are not found by accident.
cd "$work"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$top/Cargo.toml" | head -n 1)

installs_alone() { pip uninstall -y sio; pip install --no-deps --no-build-isolation "$package"; }
check "pip installs the package alone" installs_alone
check "its version is the library's" same "$version" \
    "$(SIO_LIBRARY=$library "$python" -c 'import sio; print(sio.__version__)')"
not_found() {
    if env -u SIO_LIBRARY "$python" -c 'import sio' >"$work/not_found" 2>&1; then return 1; fi
    has "$(cat "$work/not_found")" "SIO_LIBRARY"
}
check "without the library the import says where it is looked for" not_found
as_installed() { (unset SIO_LIBRARY; LD_LIBRARY_PATH=$(dirname "$library") "$python" -c 'import sio'); }
check "the loader's library is found" as_installed

# block NUMBER: that block of Python in the README, which talks with this server.
block() {
    awk -v want="$1" '$0 == "```python" { n++; on = (n == want); next } $0 == "```" { on = 0 } on' \
        "$package/README.md" | sed "s|http://localhost:5000|$url|"
}
start_demo_server
block 1 >blocking.py
block 2 >asyncio_program.py
said='the sum is 5
greeting Hello, Python!'
for program in blocking asyncio_program; do
    check "the README's program, $program" same "$said" "$(SIO_LIBRARY=$library "$python" "$program.py")"
done

check "make python-wheel puts the library into a wheel" "$MAKE" -C "$top" --no-print-directory \
    python-wheel CARGO=false PYTHON="$python" PIP_OPTIONS="--no-build-isolation --quiet" WHEELS="$work/wheels"
wheel=$(ls "$work"/wheels/*.whl)
tagged() { case ${wheel##*/} in "sio-$version-py3-none-any.whl") return 1 ;; "sio-$version-py3-none-"*) ;; *) return 1 ;; esac; }
check "its tag is of this platform, for every Python 3" tagged
with_library() { pip install --no-deps --force-reinstall "$wheel" && env -u SIO_LIBRARY "$python" asyncio_program.py; }
check "pip installs it, and nothing else is needed" with_library
check "the library in it is the one that was built" same "$(cksum <"$library")" \
    "$(cksum <"$(env -u SIO_LIBRARY "$python" -c 'import sio._native as n; print(n.library_path())')")"
stop_server

# The package's own tests, with the wheel as it is installed; they show how far they are.
cd "$package/tests"
unset SIO_LIBRARY
for test in test_*.py; do
    name=${test%.py}
    { status=0 && "$python" -m unittest -v "$name" </dev/null 2>&1 || status=$?; echo "$status" >"$work/status"; } |
        tee "$work/said"
    read -r status <"$work/status"
    [ "$status" = 0 ] || fail "$test"
    ran=$(sed -n 's/^Ran \([0-9]*\) tests\{0,1\} in .*/\1/p' "$work/said")
    [ "$ran" -gt 0 ] || fail "$test runs nothing"
    passed=$((passed + ran))
done
