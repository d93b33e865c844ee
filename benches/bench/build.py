"""Builds what is measured and what it is measured with.

Owns the compiler's options. Refuses to install anything: that is setup.sh's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Sequence

from .clients import BENCHES, BY_NAME, CLIENTS, LIBRARY, OUTPUT, TARGET, TOP
from .process import Failed

SERVER = TARGET / "release" / "examples" / "bench_server"
HEADER = TOP / "include" / "sio.h"
_FLAGS = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic"]


def build() -> None:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    print("building the library, the server and the programs in C ...", flush=True)
    _do(["make", "--no-print-directory", "-C", str(TOP), "all"])
    _do([os.environ.get("CARGO", "cargo"), "build", "--release", "--quiet", "--example", "bench_server"])
    library = [f"-L{LIBRARY}", "-lsio", f"-Wl,-rpath,{LIBRARY}"]
    _compile("sio", ["sio.c"], [f"-I{TOP / 'include'}", *library])
    _compile("limit", ["limit.c", *(file.name for file in sorted(CLIENTS.glob("limit_*.c")))], [])
    _compile("start", ["start.c"], [f"-I{TOP / 'include'}", "-ldl"])


def check_installed(clients: Sequence[str]) -> None:
    """Failed if one of these clients has not been set up."""
    for client in clients:
        for word in BY_NAME[client].command("recv"):
            if word.startswith("/") and not Path(word).exists():
                raise Failed(
                    f"{client}: {word} is missing; sh {BENCHES.name}/setup.sh installs what the peers need"
                )
        if not shutil.which(BY_NAME[client].command("recv")[0]):
            raise Failed(f"{client}: {BY_NAME[client].command('recv')[0]} is missing")
    if not shutil.which("taskset"):
        raise Failed("taskset is missing; it is part of util-linux")


def has_thread_option() -> bool:
    return '"thread"' in HEADER.read_text()


def library_file() -> dict[str, Any]:
    """The size of the shared library, as built and without symbols."""
    built = (LIBRARY / "libsio.so").resolve()
    copy = OUTPUT / "stripped.so"
    _do(["strip", "-o", str(copy), str(built)])
    return {"bytes": built.stat().st_size, "stripped_bytes": copy.stat().st_size}


def _compile(name: str, sources: Sequence[str], options: Sequence[str]) -> None:
    files = [str(CLIENTS / source) for source in sources]
    _do([os.environ.get("CC", "cc"), *_FLAGS, *files, "-o", str(OUTPUT / name), *options])


def _do(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, cwd=TOP, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failed(f"{' '.join(command)}: {error}") from None
