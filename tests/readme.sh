#!/bin/sh
# The programs of README.md, as they stand there: that they build by the commands that stand there too,
# run against the demo server, and print what the README says.
# The library and the demo server must have been built before.
set -eu
. "$(dirname "$0")/support.sh"

prefix=$work/prefix
readme=$top/README.md
check "the library is installed" install_library PREFIX="$prefix"
start_demo_server

# block LANGUAGE: the code of the first block in that language, which talks with this server.
block() {
    awk -v start="\`\`\`$1" '$0 == start { on = 1; next } on && $0 == "```" { exit } on' "$readme" |
        sed "s|http://localhost:5000|$url|"
}
cd "$work"
block c >program.c
block python >program.py

# The commands of the README, run by a shell that knows where the library is.
by_readme() {
    command=$(awk -v start="$1" 'index($0, start) == 1 { on = 1 } on { print } on && !/\\$/ { exit }' "$readme")
    [ -n "$command" ] || { echo "no command begins with: $1"; return 1; }
    PKG_CONFIG_PATH=$prefix/lib/pkgconfig sh -c "$command"
}
said() { printf 'the sum is [5]\ngreeting ["Hello, %s!"]' "$1"; }
strict() { cc -std=c99 -Wall -Wextra -Wpedantic -Werror -I"$prefix/include" -c -o program.o program.c; }
static_only() { ! ldd program | grep libsio; }

check "the README says what is printed" has "$(cat "$readme")" "$(said C)"
check "the C program has no warnings" strict
check "it builds with the shared library" by_readme "cc program.c \$(pkg-config --cflags --libs sio)"
check "it prints what the README says" \
    same "$(said C)" "$(LD_LIBRARY_PATH=$prefix/lib ./program)"
check "it builds with the static library" by_readme "cc program.c \$(pkg-config --cflags sio)"
check "it needs no shared library then" static_only
check "it prints the same" same "$(said C)" "$(./program)"
check "the Python program prints what the README says" \
    same "$(said Python)" "$(LD_LIBRARY_PATH=$prefix/lib python3 program.py)"

stop_server
refused() {
    if LD_LIBRARY_PATH=$prefix/lib "$@" >"$work/refused" 2>&1; then return 1; fi
    has "$(cat "$work/refused")" "refused"
}
check "without a server the C program says so" refused ./program
check "without a server the Python program says so" refused python3 program.py

# Each function that the header declares is in the README's table, and no other.
declared() { grep -oE '\bsio_[a-z_]+\(' "$1" | tr -d '(' | sort -u; }
in_table() { sed -n '/^## The functions/,/^## Threads/p' "$readme" | grep -oE '`sio_[a-z_]+`' | tr -d '`' | sort -u; }
check "the table of functions is that of the header" \
    same "$(sed 's|^ *///*.*||' "$top/include/sio.h" >code.h && declared code.h)" "$(in_table)"

# Each option that works is in the table of options, and no other.
options() { sed -n 's/^#define SIO_OPT_[A-Z_]* *"\([a-z_]*\)".*/\1/p' "$1" | grep -v -x -e proxy | sort; }
options_in_table() { sed -n '/^## Options/,/^## The functions/p' "$readme" | sed -n 's/^| \(`[^|]*\)|.*/\1/p' | grep -oE '[a-z_]+' | sort; }
check "the table of options is that of the header" same "$(options "$top/include/sio.h")" "$(options_in_table)"
