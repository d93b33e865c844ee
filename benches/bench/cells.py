"""What is measured: every cell, with its conditions and the clients that have it.

Owns the names of the cells. Refuses to know how often, and how, they are run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Mapping

from .clients import PEERS
from .text import size

KIB, MIB = 1 << 10, 1 << 20
#: The events of which throughput is measured: dense JSON, and bytes.
PAYLOADS = (
    ("text", 64),
    ("text", KIB),
    ("text", 64 * KIB),
    ("binary", KIB),
    ("binary", 64 * KIB),
    ("binary", MIB),
)
SLEEPERS = (0, 1, 8, 64)
QUEUES = (1_000, 10_000, 100_000, 1_000_000)
CROWDS = (1, 100, 1000)
IDLE_SECONDS = 3
#: In the cells of memory so much may wait, in either direction; sio.c sets it.
MEMORY_LIMIT = 8 * MIB

#: Server and client share one processor; or both are free to run anywhere.
PINNED, FREE = "pinned", "free"

_SIMPLE = ("python-socketio", "sio-python")
_ASYNC = ("python-socketio-async", "sio-python-async")
_PYTHON = _SIMPLE + _ASYNC
_ALL = ("sio", "limit", *PEERS, "sio-python", "sio-python-async")
#: These have one call open at a time and no more.
_ONE_BY_ONE = frozenset(_SIMPLE)


@dataclass(frozen=True)
class Cell:
    name: str
    #: As the row of a table.
    title: str
    #: What the clients call it.
    operation: str
    #: Which of the server's ports.
    port: str
    clients: tuple[str, ...]
    modes: tuple[str, ...] = (PINNED, FREE)
    #: Further keys for the clients.
    keys: Mapping[str, object] = field(default_factory=dict)
    #: None: as many as the time allows.
    count: int | None = None
    #: At most so many rounds, for what takes long and repeats exactly.
    rounds: int | None = None

    @property
    def bytes(self) -> int:
        return int(self.keys.get("bytes", 64))  # type: ignore[call-overload]

    @property
    def kind(self) -> str:
        return str(self.keys.get("kind", "text"))


def payload_title(kind: str, count: int) -> str:
    return f"{kind} {size(count)}"


def payload_name(kind: str, count: int) -> str:
    return f"{kind}-{size(count).replace(' ', '').removesuffix('B').removesuffix('i').lower()}"


def _throughput(
    operation: str, way: str, port: str, transport: str, clients: tuple[str, ...], modes
) -> list[Cell]:
    verb = {"recv": "receive", "emit": "emit"}[operation]
    also = ("limit-count",) if operation == "recv" and "limit" in clients else ()
    return [
        Cell(
            f"{verb}/{way}/{payload_name(kind, count)}",
            f"{verb} {payload_title(kind, count)}",
            operation,
            port,
            _with_this_payload(clients, transport, count) + also,
            modes,
            {"transport": transport, "kind": kind, "bytes": count},
        )
        for kind, count in PAYLOADS
    ]


def _with_this_payload(clients: tuple[str, ...], transport: str, count: int) -> tuple[str, ...]:
    """Large events by polling take the Python programs so long that it would be most of all."""
    is_long = transport == "polling" and count > KIB
    return tuple(name for name in clients if not (is_long and name in _PYTHON))


def _calls(transport: str, open_calls: int) -> Cell:
    clients = tuple(name for name in _ALL if open_calls == 1 or name not in _ONE_BY_ONE)
    return Cell(
        f"call/{transport}/{open_calls}",
        f"call, {open_calls} open",
        "call",
        "plain",
        clients,
        keys={"transport": transport, "open": open_calls},
    )


def _sleepers(threads: int) -> Cell:
    title = "call, nobody asleep in receive" if threads == 0 else f"call, {threads} asleep in receive"
    return Cell(
        f"sleepers/{threads}",
        title,
        "sleepers",
        "plain",
        ("sio",),
        keys={"transport": "websocket", "threads": threads},
    )


def _drain(queued: int) -> Cell:
    # The blocking client of python-socketio would take in a hundred thousand for half a minute.
    clients = {1_000: ("sio", *_PYTHON), 10_000: ("sio", *_PYTHON), 100_000: ("sio", *_ASYNC)}.get(
        queued, ("sio",)
    )
    keys = {"transport": "websocket", "kind": "text", "bytes": 64}
    return Cell(
        f"drain/{queued}", f"{queued:,} queued", "drain", "plain", clients, (PINNED,), keys, count=queued
    )


def _connect(transport: str) -> Cell:
    port = "upgrade" if transport == "upgrade" else "plain"
    clients = _without_limit(_ALL)
    return Cell(
        f"connect/{transport}",
        f"connect, {_by(transport)}",
        "connect",
        port,
        clients,
        (FREE,),
        {"transport": transport},
    )


def _start(transport: str) -> Cell:
    clients = _without_limit(_ALL)
    return Cell(
        f"start/{transport}",
        f"process start to connected, {_by(transport)}",
        "start",
        "plain",
        clients,
        (FREE,),
        {"transport": transport},
    )


def _idle(transport: str, crowd: int, thread: str | None = None) -> Cell:
    keys: dict[str, object] = {"transport": transport, "clients": crowd, "seconds": IDLE_SECONDS}
    name, title = f"idle/{transport}/{crowd}", f"{crowd:,} idle, {_by(transport)}"
    clients = ("sio", *_idle_peers(transport, crowd)) if thread is None else ("sio",)
    if thread is not None:
        keys["thread"] = thread
        name, title = f"{name}/{thread}", f"{title}, one thread for all"
    return Cell(name, title, "idle", "heartbeat", clients, (FREE,), keys, rounds=2)


def _idle_peers(transport: str, crowd: int) -> tuple[str, ...]:
    """With one client it is the rest of the program that is seen; and a thousand of some, one after
    another, take most of a minute."""
    if crowd == 1 or (crowd == CROWDS[-1] and transport == "polling"):
        return ()
    return tuple(peer for peer in PEERS if crowd < CROWDS[-1] or not peer.startswith("rust_socketio"))


def _memory(way: str) -> Cell:
    what = {"emit": "emitting 1 GiB flat out", "flood": "1 GiB comes in unread"}[way]
    keys = {"transport": "websocket", "way": way}
    return Cell(f"memory/{way}", what, "memory", "plain", ("sio",), (FREE,), keys, rounds=3)


def _by(transport: str) -> str:
    return "by polling, then upgraded" if transport == "upgrade" else f"by {transport}"


def _without_limit(clients: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in clients if name != "limit")


def every(has_thread_option: bool) -> list[Cell]:
    """All cells, in the order in which they are measured. Those of the option `thread` are left out if
    the library has none."""
    cells: list[Cell] = []
    for transport in ("websocket", "polling"):
        for operation in ("recv", "emit"):
            cells += _throughput(operation, transport, "plain", transport, _ALL, (PINNED, FREE))
        cells += [_calls(transport, 1), _calls(transport, 64)]
    cells += [_sleepers(threads) for threads in SLEEPERS]
    cells += [_drain(queued) for queued in QUEUES]
    # Of python-socketio the better one is enough.
    peers = tuple(peer for peer in PEERS if peer not in _ONE_BY_ONE)
    for operation in ("recv", "emit"):
        cells += _throughput(operation, "tls", "tls", "websocket", ("sio", *peers), (PINNED,))
    cells += [_connect(transport) for transport in ("websocket", "polling", "upgrade")]
    cells += [_start(transport) for transport in ("websocket", "polling")]
    for transport in ("websocket", "polling"):
        cells += [_idle(transport, crowd) for crowd in CROWDS]
        if has_thread_option:
            cells.append(_idle(transport, CROWDS[-1], "shared"))
    cells += [_memory(way) for way in ("emit", "flood")]
    return cells


def chosen(cells: list[Cell], globs: list[str]) -> list[Cell]:
    """Those whose name one of the patterns fits; ValueError for a pattern that fits none."""
    for glob in globs:
        if not any(fnmatchcase(cell.name, glob) for cell in cells):
            raise ValueError(f"no cell is called {glob}; --list names all")
    return [cell for cell in cells if any(fnmatchcase(cell.name, glob) for glob in globs)]
