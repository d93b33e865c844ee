"""How many messages each client is given, so that a run takes about as long whoever is at it.

Owns rough guesses of what a message costs. They decide how long a run takes, and nothing of what it says.
"""

from __future__ import annotations

from .cells import Cell

#: How long the measured part of a run should be, in seconds.
USUAL, QUICK = 0.3, 0.08
#: What goes over the wire in one run, at most; the server holds none of it twice.
MOST_BYTES = 2 << 30

# Microseconds for a message, and nanoseconds for each of its bytes, by kind.
_Costs = dict[str, tuple[float, dict[str, float]]]
_RECV: _Costs = {
    "limit": (0.05, {"text": 0.25, "binary": 0.25}),
    "limit-count": (0.04, {"text": 0.15, "binary": 0.15}),
    "sio": (0.2, {"text": 1.1, "binary": 0.3}),
    "socket.io-client": (4, {"text": 12, "binary": 1}),
    "rust_socketio": (12, {"text": 15, "binary": 3}),
    "rust_socketio-async": (8, {"text": 15, "binary": 3}),
    "python-socketio": (60, {"text": 20, "binary": 4}),
    "python-socketio-async": (40, {"text": 20, "binary": 4}),
    "sio-python": (4, {"text": 12, "binary": 1}),
    "sio-python-async": (5, {"text": 12, "binary": 1}),
}
_EMIT: _Costs = {
    "limit": (0.04, {"text": 0.4, "binary": 0.4}),
    "sio": (0.2, {"text": 1.2, "binary": 0.6}),
    "socket.io-client": (6, {"text": 10, "binary": 3}),
    "rust_socketio": (30, {"text": 15, "binary": 5}),
    "rust_socketio-async": (20, {"text": 15, "binary": 5}),
    "python-socketio": (60, {"text": 25, "binary": 5}),
    "python-socketio-async": (60, {"text": 25, "binary": 5}),
    "sio-python": (6, {"text": 15, "binary": 1}),
    "sio-python-async": (6, {"text": 15, "binary": 1}),
}
_CALL = {
    "limit": 15,
    "sio": 25,
    "socket.io-client": 80,
    "rust_socketio": 200,
    "rust_socketio-async": 100,
    "python-socketio": 300,
    "python-socketio-async": 250,
    "sio-python": 60,
    "sio-python-async": 100,
}
#: By polling every message is more text, and base64 if it is binary.
_POLLING = 2
_CONNECT = {
    "sio": 400,
    "socket.io-client": 1500,
    "rust_socketio": 2000,
    "rust_socketio-async": 2000,
    "python-socketio": 5000,
    "python-socketio-async": 5000,
    "sio-python": 800,
    "sio-python-async": 800,
}
#: Fewer do not make a median; where percentiles are wanted, fewer do not make those.
_FEWEST, _FEWEST_TIMED = 10, 100
#: Processes that are started in one round.
STARTS, QUICK_STARTS = 5, 2
_QUICK_QUEUE = 100_000


def count(cell: Cell, client: str, quick: bool) -> int | None:
    """The key `count` of this client in this cell; None if it has no such key."""
    if cell.operation in ("idle", "memory", "start"):
        return None
    if cell.count is not None:
        return cell.count
    budget = 1e6 * (QUICK if quick else USUAL)
    if cell.operation in ("recv", "emit"):
        base, each_byte = (_RECV if cell.operation == "recv" else _EMIT)[client]
        cost = base + each_byte[cell.kind] * cell.bytes / 1000
        if cell.keys.get("transport") == "polling":
            cost *= _POLLING
        return _round(min(budget / cost, MOST_BYTES / cell.bytes), _FEWEST)
    if cell.operation == "connect":
        fewest = 20 if quick else 50
        return _round(budget / _CONNECT[client], fewest)
    cost = _CALL[client]
    if cell.keys.get("transport") == "polling":
        cost *= 4
    if int(cell.keys.get("open", 1)) > 1:  # type: ignore[call-overload]
        cost /= 4
    return _round(budget / cost, _FEWEST_TIMED)


def starts(quick: bool) -> int:
    return QUICK_STARTS if quick else STARTS


def is_left_out(cell: Cell, quick: bool) -> bool:
    """What takes too long for a quick look."""
    return quick and cell.count is not None and cell.count > _QUICK_QUEUE


def expected_seconds(cell: Cell, client: str, quick: bool) -> float:
    """About how long one run takes, the start of its process included."""
    begin = 0.15 if "python" in client or client == "socket.io-client" else 0.02
    if cell.operation == "idle":
        crowd = int(cell.keys["clients"])  # type: ignore[call-overload]
        return begin + crowd * _CONNECT[client] * 1e-6 + int(cell.keys["seconds"])  # type: ignore[call-overload]
    if cell.operation == "memory":
        return 1.5
    if cell.operation == "start":
        return starts(quick) * begin
    if cell.operation == "drain":
        return begin + 1.5e-6 * _RECV[client][0] * (cell.count or 0)
    return begin + 1.5 * (QUICK if quick else USUAL)


def _round(wanted: float, fewest: int) -> int:
    """To 1, 2 or 5 and noughts, so that the numbers can be read."""
    if wanted <= fewest:
        return fewest
    power = 10 ** (len(str(int(wanted))) - 1)
    lead = wanted / power
    return max(fewest, power * (5 if lead >= 5 else 2 if lead >= 2 else 1))
