"""Measures what a message costs on the library that ships, and compares that with committed figures.

    python3 benches/gate/gate.py measure FILE [--plant]   builds and runs gate.c, writes what was counted
    python3 benches/gate/gate.py judge FILE [FIGURES]     compares; a line for each cell, status 1 if one is bad
    python3 benches/gate/gate.py renew                    measures and writes the figures anew

The library must have been built before (`make`). docs/decisions.md says what is counted, and how.
"""

import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
TARGET = TOP / os.environ.get("CARGO_TARGET_DIR", "target")
LIBRARY = TARGET / "library"
FIGURES = HERE / "figures.txt"
RENEW = "make gate-figures"

# How far the instructions of a cell may be from their figure, up or down, in percent.
ROOM = 3.0

# Which of its copying functions the C library takes depends on the processor. These are off, so that
# it takes the same everywhere.
PLAIN = "glibc.cpu.hwcaps=" + ",".join(
    "-" + feature
    for feature in "AVX2 AVX2_Usable AVX512F AVX512VL AVX512BW AVX_Fast_Unaligned_Load ERMS FSRM SSSE3 "
    "SSE4_1 SSE4_2 BMI1 BMI2 RTM MOVBE XSAVEC".split()
)

HEAD = """\
# What a message costs. `make test` measures it anew on the library that ships, and fails if the
# instructions of a cell are more than 3 % from what stands here, up or down, or anything else is not
# the same. Written by `make gate-figures`: a change that costs, or gains, on purpose brings the new
# figures with it.
#
# Instructions are those of one message; all else is counted for all messages of the cell.
"""
COLUMNS = ["cell", "messages", "instructions", "allocations", "clock", "system calls"]


def main(arguments):
    match arguments:
        case ["measure", file]:
            pathlib.Path(file).write_text(measure([]))
        case ["measure", file, "--plant"]:
            pathlib.Path(file).write_text(measure(["--plant"]))
        case ["judge", file]:
            return judge(pathlib.Path(file).read_text(), FIGURES.read_text())
        case ["judge", file, figures]:
            return judge(pathlib.Path(file).read_text(), pathlib.Path(figures).read_text())
        case ["renew"]:
            FIGURES.write_text(HEAD + "\n" + measure([]))
            print(f"gate: {FIGURES.relative_to(TOP)} is written")
        case _:
            sys.exit(__doc__)
    return 0


def measure(arguments):
    """Runs the gate twice: as it is, for what is counted, and under callgrind for instructions."""
    program = build()
    with tempfile.TemporaryDirectory(prefix="sio-gate.") as folder:
        lines = run([program, *arguments])
        valgrind = ["valgrind", "--quiet", "--tool=callgrind", "--collect-atstart=no"]
        under = run([*valgrind, f"--callgrind-out-file={folder}/out", program, *arguments])
        # The machine is the same, whatever it runs on.
        if under != lines:
            sys.exit(f"gate: counted under valgrind:\n{under}otherwise:\n{lines}")
        instructions = dict(dumped(path) for path in pathlib.Path(folder).glob("out.*"))
    rows = [row(line.split(), instructions) for line in lines.splitlines()]
    return "".join(f"{name}: {value}\n" for name, value in made_with().items()) + "\n" + table(rows)


def build():
    folder = TARGET / "gate"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "gate"
    sources = [HERE / name for name in ("gate.c", "machine.c", "peer.c")]
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-I", TOP / "include"]
    libraries = ["-L", LIBRARY, "-lsio", "-ldl", f"-Wl,-rpath,{LIBRARY}"]
    command = [os.environ.get("CC", "cc"), *flags, "-o", program, *sources, *libraries]
    subprocess.run(command, check=True)
    return program


def run(command):
    environment = {**os.environ, "GLIBC_TUNABLES": PLAIN}
    # What would be logged is none of a message's costs.
    environment.pop("SIO_LOG", None)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"gate: {' '.join(map(str, command))} failed ({done.returncode}):\n{done.stdout}")
    return done.stdout


def dumped(path):
    """The cell and the instructions of one dump of callgrind's."""
    text = path.read_text()
    trigger = re.search(r"^desc: Trigger: (?:Client Request: )?(.*)$", text, re.MULTILINE)
    totals = re.search(r"^totals: (\d+)", text, re.MULTILINE)
    return trigger[1], int(totals[1])


def row(words, instructions):
    name, messages, *counted = words
    counts = dict(pair.split("=") for pair in counted)
    each = instructions[name] / int(messages)
    allocations, clock = counts.pop("allocations", "0"), counts.pop("clock", "0")
    calls = ", ".join(f"{call} {count}" for call, count in counts.items())
    return [name, messages, f"{each:.1f}", allocations, clock, calls or "none"]


def made_with():
    library = (LIBRARY / "libsio.so").read_bytes()
    compilers = sorted(set(re.findall(rb"rustc version ([^\0]+)", library)))
    return {
        "compiler": "rustc " + " and ".join(name.decode() for name in compilers),
        "libc": " ".join(platform.libc_ver()),
        "processor": platform.machine(),
    }


def table(rows):
    rows = [COLUMNS, *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    text = ""
    for cells in rows:
        name, *numbers, calls = (cell.rjust(width) for cell, width in zip(cells, widths))
        text += "  ".join([cells[0].ljust(widths[0]), *numbers, cells[-1]]) + "\n"
    return text


def parsed(text):
    """What `measure` has written: what it was made with, and the cells by name."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    made = dict(line.split(": ", 1) for line in lines if ": " in line)
    cells = [re.split(r" {2,}", line) for line in lines if ": " not in line]
    return made, {cell[0]: dict(zip(COLUMNS, cell)) for cell in cells if cell != COLUMNS}


def judge(measured, figures):
    made_now, now = parsed(measured)
    made_then, then = parsed(figures)
    differing = [what for what in made_now if made_now[what] != made_then.get(what)]
    others = [f"{made_then.get(what)}, not {made_now[what]}" for what in differing]
    if others:
        print(f"note: the figures were made with {'; '.join(others)}")
    # Another instruction set does the same with other instructions; all else is the same there.
    comparable = made_now.get("processor") == made_then.get("processor")
    if not comparable:
        print("note: instructions are not compared: there are no figures for this processor")
    bad = 0
    for name in {**then, **now}:
        words, faults = compare(now.get(name), then.get(name), comparable)
        bad += bool(faults)
        print(f"FAILED {name}: {'; '.join(faults)}" if faults else f"  ok  {name}: {words}")
    if bad:
        print(f"gate: if that is meant, `{RENEW}` writes the figures anew")
        if others:
            print("gate: it may also come of what the figures were made with, see the note")
    return 1 if bad else 0


def compare(now, then, comparable):
    """What was measured, in words, and what is wrong with it."""
    if not now or not then:
        return "", ["there is no figure for it" if now else "it was not measured"]
    faults = []
    for what in COLUMNS[1:]:
        if what != "instructions" and now[what] != then[what]:
            faults.append(f"{what}: {now[what]}, the figure is {then[what]}")
    more = (float(now["instructions"]) / float(then["instructions"]) - 1) * 100
    words = f"{now['instructions']} instructions ({more:+.1f} %)"
    if comparable and abs(more) > ROOM:
        than = "more" if more > 0 else "less"
        faults.append(f"{words}: more than {ROOM:.0f} % {than} than the figure {then['instructions']}")
    each = int(now["allocations"]) / int(now["messages"])
    return f"{words}, {each:g} allocations each; {now['system calls']}", faults


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
