"""How many messages each client is given, so that a run takes about as long whoever is at it.

Owns rough guesses of what a message costs. They decide how long a run takes, and nothing of what it says.
"""

from __future__ import annotations

from .cells import KIB, Cell

#: How long the measured part of a run should be, in seconds.
USUAL, QUICK = 0.25, 0.05
#: What goes over the wire in one run, at most; the server holds none of it twice.
MOST_BYTES = 2 << 30

# Microseconds for a message, and nanoseconds for each of its bytes, by kind.
_Costs = dict[str, tuple[float, dict[str, float]]]
_RECV: _Costs = {
    "limit": (0.05, {"text": 0.35, "binary": 0.25}),
    "limit-count": (0.03, {"text": 0.2, "binary": 0.15}),
    "sio": (0.3, {"text": 1.7, "binary": 0.3}),
    "socket.io-client": (8, {"text": 23, "binary": 2}),
    "rust_socketio": (3, {"text": 30, "binary": 3}),
    "rust_socketio-async": (4, {"text": 30, "binary": 3}),
    "python-socketio": (200, {"text": 300, "binary": 10}),
    "python-socketio-async": (100, {"text": 80, "binary": 4}),
    "sio-python": (6, {"text": 35, "binary": 1}),
    "sio-python-async": (6, {"text": 35, "binary": 1}),
}
_EMIT: _Costs = {
    "limit": (0.04, {"text": 0.25, "binary": 0.25}),
    "sio": (0.3, {"text": 1.8, "binary": 0.6}),
    "socket.io-client": (15, {"text": 24, "binary": 1.5}),
    "rust_socketio": (4, {"text": 26, "binary": 1}),
    "rust_socketio-async": (3, {"text": 18, "binary": 1}),
    "python-socketio": (70, {"text": 170, "binary": 10}),
    "python-socketio-async": (45, {"text": 150, "binary": 3}),
    "sio-python": (4, {"text": 40, "binary": 0.7}),
    "sio-python-async": (7, {"text": 40, "binary": 0.7}),
}
# Microseconds for a call: one open by websocket, one by polling, many open by either.
_CALL = {
    "limit": (10, 30, 0.4),
    "sio": (28, 120, 2),
    "socket.io-client": (200, 1500, 35),
    "rust_socketio": (25, 190, 25),
    "rust_socketio-async": (20, 170, 25),
    "python-socketio": (350, 5000, 300),
    "python-socketio-async": (340, 1300, 300),
    "sio-python": (65, 150, 25),
    "sio-python-async": (80, 270, 25),
}
#: By polling every message is more text, and base64 if it is binary.
_POLLING = 2
#: To begin with, a runtime compiles, and fills its caches.
_BEGIN = {"socket.io-client": 0.15, "python-socketio": 0.3, "python-socketio-async": 0.3}
_BEGIN_PYTHON, _BEGIN_OTHER = 0.12, 0.02
_CONNECT = {
    "sio": 400,
    "socket.io-client": 1500,
    "rust_socketio": 20000,
    "rust_socketio-async": 20000,
    "python-socketio": 6000,
    "python-socketio-async": 4000,
    "sio-python": 800,
    "sio-python-async": 800,
}
#: Fewer do not make a median; where percentiles are wanted, fewer do not make those.
_FEWEST, _FEWEST_TIMED = 10, 100
#: Processes that are started in one round.
STARTS, QUICK_STARTS = 5, 2
#: What a quick look has of queues, of idle clients, and of payloads by polling and over TLS.
_QUICK_QUEUE, _QUICK_IDLE = 10_000, "idle/websocket/100"
_QUICK_PAYLOADS = (("text", 64), ("binary", 64 * KIB))


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
        fewest = 10 if quick else 20
        return _round(budget / _CONNECT[client], fewest)
    is_polling, is_one = cell.keys.get("transport") == "polling", cell.keys.get("open", 1) == 1
    cost = _CALL[client][2 if not is_one else 1 if is_polling else 0]
    return _round(budget / cost, _FEWEST_TIMED)


def starts(quick: bool) -> int:
    return QUICK_STARTS if quick else STARTS


def is_left_out(cell: Cell, quick: bool) -> bool:
    """What takes too long for a quick look."""
    if not quick:
        return False
    if cell.operation == "idle":
        return cell.name != _QUICK_IDLE
    if cell.operation in ("recv", "emit") and (
        cell.port == "tls" or cell.keys["transport"] == "polling"
    ):
        return (cell.kind, cell.bytes) not in _QUICK_PAYLOADS
    return cell.count is not None and cell.count > _QUICK_QUEUE


def expected_seconds(cell: Cell, client: str, quick: bool) -> float:
    """About how long one run takes, the start of its process included."""
    begin = _BEGIN.get(client, _BEGIN_PYTHON if "python" in client else _BEGIN_OTHER)
    if cell.operation == "idle":
        crowd = int(cell.keys["clients"])  # type: ignore[call-overload]
        return begin + crowd * _CONNECT[client] * 1e-6 + int(cell.keys["seconds"])  # type: ignore[call-overload]
    if cell.operation == "memory":
        return 1.5
    if cell.operation == "start":
        return starts(quick) * begin
    if cell.operation == "drain":
        return begin + 2e-6 * _RECV[client][0] * (cell.count or 0)
    # A tenth goes before, and the server has its share.
    return begin + 1.3 * (QUICK if quick else USUAL)


def _round(wanted: float, fewest: int) -> int:
    """To 1, 2 or 5 and noughts, so that the numbers can be read."""
    if wanted <= fewest:
        return fewest
    power = 10 ** (len(str(int(wanted))) - 1)
    lead = wanted / power
    return max(fewest, power * (5 if lead >= 5 else 2 if lead >= 2 else 1))
