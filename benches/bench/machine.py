"""The machine and the programs that a measurement was made with."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .clients import CLIENTS, PYTHON, TOP


def describe() -> dict[str, Any]:
    """What a reader must know to compare these figures with others."""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)),
        "system": _system(),
        "kernel": platform.release(),
        "revision": _first(["git", "-C", str(TOP), "describe", "--always", "--dirty", "--abbrev=12"]),
        "versions": {
            "rustc": _second_word(["rustc", "--version"]),
            "cc": _first(["cc", "-dumpfullversion"]),
            "node": _first(["node", "--version"]),
            "python": _second_word([str(PYTHON), "--version"]),
            "socket.io-client": _node_package("socket.io-client"),
            "bufferutil": _node_package("bufferutil"),
            "utf-8-validate": _node_package("utf-8-validate"),
            "python-socketio": _python_package("python-socketio"),
            "rust_socketio": _locked(CLIENTS / "rust_socketio" / "Cargo.lock", "rust_socketio"),
        },
    }


def _processor() -> str:
    # What `model name` says of a virtual machine may be short; the number of the model helps then.
    values: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        values.setdefault(name.strip(), value.strip())
    text = values.get("model name", platform.machine())
    if "hypervisor" in values.get("flags", "").split():
        text += f" (family {values.get('cpu family')}, model {values.get('model')}), a virtual machine"
    return text


def _system() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return platform.system()
    return release.get("PRETTY_NAME", platform.system())


def _first(command: list[str]) -> str | None:
    """The first line that it prints; None if there is no such program."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else None


def _second_word(command: list[str]) -> str | None:
    words = (_first(command) or "").split()
    return words[1] if len(words) > 1 else None


def _node_package(name: str) -> str | None:
    file = CLIENTS / "node_modules" / name / "package.json"
    return json.loads(file.read_text())["version"] if file.exists() else None


def _python_package(name: str) -> str | None:
    return _first(
        [str(PYTHON), "-c", f"from importlib.metadata import version; print(version({name!r}))"]
    )


def _locked(lock: Path, name: str) -> str | None:
    import tomllib

    if not lock.exists():
        return None
    packages = tomllib.loads(lock.read_text())["package"]
    return next((package["version"] for package in packages if package["name"] == name), None)
