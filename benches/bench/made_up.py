"""Results that nobody measured, for the tests: all cells, all clients, figures that are easy to check."""

from __future__ import annotations

from typing import Any

from . import cells, counts
from .results import Results

#: Each client's cost to that of the limit.
FACTORS = {
    "limit": 1.0,
    "limit-count": 0.5,
    "sio": 2.0,
    "socket.io-client": 40.0,
    "rust_socketio": 60.0,
    "rust_socketio-async": 50.0,
    "python-socketio": 400.0,
    "python-socketio-async": 300.0,
    "sio-python": 30.0,
    "sio-python-async": 35.0,
}
#: From round to round the machine is slower, for all alike.
ROUNDS = (1.0, 1.1, 1.2, 1.3, 1.4)


def results(only: tuple[str, ...] = ("*",), quick: bool = False) -> Results:
    made = Results.empty(_machine(), len(ROUNDS), quick)
    made.content["library"] = {"bytes": 4_000_000, "stripped_bytes": 3_000_000}
    for cell in cells.chosen(cells.every(has_thread_option=True), list(only)):
        made.begin(cell)
        for slowness in ROUNDS:
            for client in cell.clients:
                for mode in cell.modes:
                    made.add(cell.name, client, mode, _run(cell, client, slowness))
    return made


def _run(cell: cells.Cell, client: str, slowness: float) -> dict[str, Any]:
    count = counts.count(cell, client, quick=False)
    each = FACTORS[client] * slowness * (0.05 + cell.bytes / 5000)
    call = 10 * (1 + FACTORS[client] / 10) * slowness
    if cell.operation == "start":
        return {"start_us": 1500 * FACTORS[client] * slowness}
    run: dict[str, Any] = {
        "cpu_us": (call if "call" in cell.name or "sleepers" in cell.name else each) * (count or 1),
        "wall_us": each * (count or 1),
        "p50_us": call,
        "p99_us": call * 3,
        "peak_kib": 2000 + FACTORS[client] * (cell.count or 0) / 20,
        "rss_per_event": 128.0,
        "kib_each": 12.0 * FACTORS[client],
        "threads": int(cell.keys.get("clients", 0)) + 1,  # type: ignore[call-overload]
        "server_us": each * (count or 1) / 4,
        "process_us": each * (count or 1),
    }
    if count is not None:
        run["count"] = count
    return run


def _machine() -> dict[str, Any]:
    return {
        "date": "2001-02-03",
        "processor": "a processor",
        "processors": 2,
        "memory_gib": 8,
        "system": "a system",
        "kernel": "1.2.3",
        "revision": "0123456789ab",
        "load": 0.0,
        "versions": {"rustc": "1.0.0", "node": "v2.0.0", "socket.io-client": "4.8.4"},
    }
