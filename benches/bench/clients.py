"""The clients that are compared: what each is called, and the command that runs it.

Owns their names. Refuses to know what they are asked to do.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

BENCHES = Path(__file__).resolve().parent.parent
TOP = BENCHES.parent
CLIENTS = BENCHES / "clients"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or TOP / "target").resolve()
LIBRARY = TARGET / "library"
#: What the runner builds and writes.
OUTPUT = TARGET / "bench"
PYTHON = CLIENTS / ".venv" / "bin" / "python"

OURS, LIMIT, PEER, PYTHON_PACKAGE = "ours", "limit", "peer", "python"


@dataclass(frozen=True)
class Client:
    """`name` stands in results and on the command line, `label` in tables and plots."""

    name: str
    label: str
    role: str
    #: Given the operation, what comes before its name on the command line.
    command: Callable[[str], list[str]]


def _program(*command: str | Path) -> Callable[[str], list[str]]:
    return lambda operation: [str(part) for part in command]


def _sio(operation: str) -> list[str]:
    # Whatever else a client does at its start is not what that cell measures.
    return [str(OUTPUT / ("start" if operation == "start" else "sio"))]


def _python(file: str, variant: str) -> Callable[[str], list[str]]:
    return _program(PYTHON, CLIENTS / file, variant)


_RUST = CLIENTS / "rust_socketio" / "target" / "release" / "bench-rust-socketio"

ALL = (
    Client("sio", "sio", OURS, _sio),
    Client("limit", "the limit", LIMIT, _program(OUTPUT / "limit", "copy")),
    Client("limit-count", "the limit, without copies", LIMIT, _program(OUTPUT / "limit", "count")),
    Client("socket.io-client", "socket.io-client", PEER, _program("node", CLIENTS / "socket_io.js")),
    Client("rust_socketio", "rust_socketio", PEER, _program(_RUST, "sync")),
    Client("rust_socketio-async", "rust_socketio, async", PEER, _program(_RUST, "async")),
    Client("python-socketio", "python-socketio", PEER, _python("python_socketio.py", "simple")),
    Client(
        "python-socketio-async", "python-socketio, async", PEER, _python("python_socketio.py", "async")
    ),
    Client("sio-python", "sio for Python", PYTHON_PACKAGE, _python("sio_python.py", "simple")),
    Client(
        "sio-python-async", "sio for Python, async", PYTHON_PACKAGE, _python("sio_python.py", "async")
    ),
)

BY_NAME = {client.name: client for client in ALL}
PEERS = tuple(client.name for client in ALL if client.role == PEER)


def environment() -> dict[str, str]:
    """What the clients find in their environment: the library that was built here."""
    return {
        **os.environ,
        "SIO_LIBRARY": str(LIBRARY / "libsio.so.0"),
        "PYTHONPATH": str(TOP / "bindings" / "python"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NODE_ENV": "production",
    }
