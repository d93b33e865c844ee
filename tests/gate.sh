#!/bin/sh
# What a message costs on the library that ships, against benches/gate/figures.txt; and that the
# comparison sees what it is for. The library must have been built before.
set -eu
. "$(dirname "$0")/support.sh"

gate() { python3 "$top/benches/gate/gate.py" "$@"; }
measured=$work/measured

check "it is measured" gate measure "$measured"
gate judge "$measured" >"$work/judged" || { cat "$work/judged" >&2; fail "what a message costs has changed"; }
while read -r line; do
    case $line in
    "ok "*) check "${line#ok  }" true ;;
    *) printf '%s\n' "$line" ;;
    esac
done <"$work/judged"

# sees PATTERN FILE FIGURES: the file fails by these figures, for that reason.
sees() {
    if gate judge "$2" "$3" >"$work/judged" 2>&1; then return 1; fi
    grep -q -- "^FAILED .*$1" "$work/judged" || { cat "$work/judged"; return 1; }
}
# changed CELL COLUMN FACTOR TERM: the measured file with a number changed.
changed() {
    awk -v cell="$1" -v column="$2" -v factor="$3" -v term="$4" '
        $1 == cell { old = $column; sub("  " old "  ", "  " old * factor + term "  ") } 1' \
        "$measured" >"$work/changed"
}
# Nothing has changed but what is changed here.
same_but() { gate judge "$work/changed" "$measured"; }
changed call 3 1.02 0
check "2 % more instructions are within the room" same_but
changed call 3 1.05 0
check "5 % more instructions are seen" sees "3 % more than" "$work/changed" "$measured"
changed call 3 0.95 0
check "and 5 % less, so that a gain is kept" sees "3 % less than" "$work/changed" "$measured"
changed call 4 1 1
check "one more allocation is seen" sees "allocations: " "$work/changed" "$measured"
changed call 5 1 1
check "one more reading of the clock is seen" sees "clock: " "$work/changed" "$measured"
sed 's/send 100,/send 101,/' "$measured" >"$work/changed"
check "one more system call is seen" sees "call: .*system calls: " "$work/changed" "$measured"
sed '/^call /d' "$measured" >"$work/changed"
check "a cell that is not measured is seen" sees "call: it was not measured" "$work/changed" "$measured"
check "and one without a figure" sees "call: there is no figure" "$measured" "$work/changed"

check "it is measured with costs planted" gate measure "$work/planted" --plant
check "an allocation for each message is seen" \
    sees "emit-text-64B: .*allocations: 10" "$work/planted" "$measured"
check "a system call for each message is seen" \
    sees "emit-text-64B: .*system calls: .*read 1001" "$work/planted" "$measured"
uncounted() {
    if "$TARGET_DIR/gate/gate" --plant-call >"$work/planted" 2>&1; then return 1; fi
    has "$(cat "$work/planted")" "none of those that are counted"
}
check "a system call that is not counted ends it" uncounted
