"""The test protocol (../README.md) for both python servers.

Owns: what is remembered of each connection, and what each event asks of a server, as a list of
actions. Refuses to know how a server carries them out: the two servers differ in nothing else.
"""

import argparse
import os
import threading
import sys
import zlib
from collections import deque
from dataclasses import dataclass
from urllib.parse import parse_qs

import socketio

NAMESPACES = ("/", "/admin", "/auth", "/refuse")

LETTERS = "abcdefghijklmnopqrstuvwxyz"

# The words of the JavaScript server for what python-socketio calls otherwise.
REASONS = {
    "client disconnect": "client namespace disconnect",
    "server disconnect": "server namespace disconnect",
}


# So many packets may wait in a connection's queue before a flood pauses.
WAITING_PACKETS = 128


# ---- actions ----


@dataclass
class Emit:
    name: str
    args: tuple


@dataclass
class Ack:
    args: tuple
    after_ms: float = 0


@dataclass
class Ask:
    args: tuple


@dataclass
class Flood:
    name: str
    n: float
    args_of: object
    largest: int


class Kick:
    pass


class KickHard:
    pass


class Drop:
    pass


# ---- what is remembered ----


class Record:
    """One connection. What `tally` shows are the attributes named in SHOWN."""

    SHOWN = (
        "name sid namespace connected connections reason events count in_order "
        "checked bad misplaced bytes transport"
    ).split()

    def __init__(self, sid, namespace, auth):
        self.name = ""
        self.sid = sid
        self.namespace = namespace
        self.auth = auth
        # The one that carries the connection now, or carried it last.
        self.transport = "polling"
        self.connected = True
        self.connections = 1
        self.reason = None
        self.events = 0
        self.count = 0
        self.in_order = True
        self.checked = 0
        self.bad = 0
        self.misplaced = 0
        self.bytes = 0
        # The next sequence number of each thread that sends `check`.
        self.threads = {}

    def shown(self):
        return {key: getattr(self, key) for key in self.SHOWN}


class Protocol:
    """What all connections of one server share."""

    def __init__(self, server):
        self.server = server
        self.records = {}

    def connect(self, sid, namespace, auth):
        """Admits a connection, or refuses it as its namespace demands."""
        auth = {} if auth is None else auth
        if namespace == "/refuse":
            raise socketio.exceptions.ConnectionRefusedError("not welcome", {"code": 403})
        if namespace == "/auth" and not (isinstance(auth, dict) and auth.get("token") == "secret"):
            raise socketio.exceptions.ConnectionRefusedError("bad token")
        record = self.records[sid] = Record(sid, namespace, auth)
        if isinstance(auth, dict) and isinstance(auth.get("name"), str):
            self._give_name(record, auth["name"])

    def disconnect(self, sid, reason):
        record = self.records.get(sid)
        if record is not None:
            self._note_transport(record)
            record.connected = False
            record.reason = REASONS.get(reason, reason)

    def respond(self, sid, event, args):
        """The actions that an event asks for. What must be counted has been counted on return."""
        record = self.records[sid]
        record.events += 1
        self._note_transport(record)
        handler = HANDLERS.get(event)
        if handler is not None:
            return handler(self, record, *args)
        return [Emit(event, args), Ack(args)]

    # -- one method per event --

    def _name(self, record, text):
        self._give_name(record, text)
        return [Ack((text,))]

    def _echo(self, record, *args):
        return [Emit("echo", args)]

    def _add(self, record, a, b):
        return [Ack((a + b,))]

    def _echo_ack(self, record, *args):
        return [Ack(args)]

    def _no_ack(self, record, *args):
        return []

    def _slow_ack(self, record, ms):
        return [Ack((ms,), after_ms=ms)]

    def _ask(self, record, *args):
        return [Ask(args)]

    def _count(self, record, seq, *_):
        if seq != record.count:
            record.in_order = False
        record.count += 1
        return [Ack((record.count,))]

    def _check(self, record, thread, seq, crc, *content):
        buffers = buffers_in(content, [])
        total = 0
        for buffer in buffers:
            total = zlib.crc32(buffer, total)
            record.bytes += len(buffer)
        record.checked += 1
        if total != crc:
            record.bad += 1
        if seq != record.threads.get(thread, 0):
            record.misplaced += 1
        record.threads[thread] = seq + 1
        return [Ack((record.checked,))]

    def _tally(self, record, name):
        found = self.records.get(name)
        return [Ack((found.shown() if found else None,))]

    def _status(self, record):
        # The threaded server keeps closed ones for a while.
        open_now = sum(not engine.closed for engine in list(self.server.eio.sockets.values()))
        return [Ack(({"connections": open_now},))]

    def _flood(self, record, n, size, binary=False):
        if binary:
            return [Flood("flood", n, lambda i: (i, bytes_of(i, 0, size)), size)]
        return [Flood("flood", n, lambda i: (i, text_of(i, size)), size)]

    def _flood_forever(self, record, size, binary=False):
        return self._flood(record, float("inf"), size, binary)

    def _mixed(self, record, n, largest=2000):
        return [Flood("mixed", n, lambda i: mixed_args(i, largest), largest)]

    def _kick(self, record):
        return [Kick()]

    def _kick_hard(self, record):
        return [KickHard()]

    def _drop(self, record):
        return [Drop()]

    def _handshake(self, record):
        environ = self.server.get_environ(record.sid, record.namespace)
        headers = {
            key[5:].replace("_", "-").lower(): value
            for key, value in environ.items()
            if key.startswith("HTTP_")
        }
        query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        shown = {
            "headers": headers,
            "query": {key: v[0] if len(v) == 1 else v for key, v in query.items()},
            "auth": record.auth,
            "url": raw_url(environ),
        }
        return [Ack((shown,))]

    def _transport(self, record):
        return [Ack((record.transport,))]

    def _note_transport(self, record):
        eio_sid = self.server.manager.eio_sid_from_sid(record.sid, record.namespace)
        # Not by `transport()`, which forgets a session that has just been closed.
        engine = self.server.eio.sockets.get(eio_sid)
        if engine is not None:
            record.transport = "websocket" if engine.upgraded else "polling"

    def _give_name(self, record, name):
        earlier = self.records.get(name)
        if earlier is not None and earlier is not record:
            record.connections = earlier.connections + 1
        record.name = name
        self.records[name] = record


HANDLERS = {
    name: getattr(Protocol, f"_{name}")
    for name in (
        "name echo add echo_ack no_ack slow_ack ask count check tally status flood flood_forever "
        "mixed kick kick_hard drop handshake transport"
    ).split()
}


# ---- checkable content ----

_byte_pattern = b""
_text_pattern = ""


def bytes_of(i, k, length):
    global _byte_pattern
    while len(_byte_pattern) < length + 256:
        _byte_pattern += bytes(range(256)) * 16
    start = (i * 31 + k * 17) & 255
    return _byte_pattern[start : start + length]


def text_of(i, length):
    global _text_pattern
    while len(_text_pattern) < length + 26:
        _text_pattern += LETTERS * 64
    start = (i * 31) % 26
    return _text_pattern[start : start + length]


def size_of(i, largest):
    return (i * 7919) % (largest + 1)


def mixed_args(i, largest):
    size = size_of(i, largest)
    if i % 3 == 0:
        return (i, text_of(i, size))
    if i % 3 == 1:
        return (i, bytes_of(i, 0, size))
    deep = {"deep": bytes_of(i, 1, size_of(i + 1, largest))}
    return (i, {"parts": [bytes_of(i, 0, size), deep], "text": text_of(i, 5)})


def buffers_in(value, found):
    if isinstance(value, bytes):
        found.append(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            buffers_in(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            buffers_in(item, found)
    return found


# ---- the process ----


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ping-interval", type=float, default=25000)
    parser.add_argument("--ping-timeout", type=float, default=20000)
    parser.add_argument("--max-payload", type=int, default=1_000_000)
    parser.add_argument("--path", default="/socket.io/")
    parser.add_argument("--transports", default="polling,websocket")
    parser.add_argument("--no-upgrades", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cookie")
    given = parser.parse_args()
    if given.ping_interval % 1000:
        parser.error("python-engineio announces its ping interval in whole seconds")
    given.path = given.path.strip("/")
    return given


def server_options(given):
    return {
        "ping_interval": given.ping_interval / 1000,
        "ping_timeout": given.ping_timeout / 1000,
        "max_http_buffer_size": given.max_payload,
        "transports": given.transports.split(","),
        "allow_upgrades": not given.no_upgrades,
        "cookie": {"name": given.cookie, "path": "/", "HttpOnly": True} if given.cookie else None,
        "namespaces": list(NAMESPACES),
    }


def raw_url(environ):
    """Path and query as they stood in the request line."""
    request = environ.get("aiohttp.request")
    return request.raw_path if request is not None else environ["REQUEST_URI"]


def lacks_cookie(name, query, cookies):
    """Whether a request of a session does not bring back the cookie that the session set. A load
    balancer with sticky sessions would not find the session then."""
    sid = parse_qs(query).get("sid", [None])[0]
    pairs = [pair.strip() for pair in cookies.split(";")]
    return name is not None and sid is not None and f"{name}={sid}" not in pairs


class Connections:
    """The TCP connections by which the requests of each session came; the latest of them, more than
    the polls and POSTs that come while a WebSocket is only a probe."""

    KEPT = 64

    def __init__(self):
        self.by_sid = {}

    def note(self, query, connection):
        sid = parse_qs(query).get("sid", [None])[0]
        if sid is not None:
            self.by_sid.setdefault(sid, deque(maxlen=self.KEPT)).append(connection)

    def of(self, sid):
        return list(self.by_sid.get(sid, ()))


def listening(port):
    """Says where we listen, and ends the process when whoever started it lets go of stdin."""

    def wait():
        while sys.stdin.buffer.read(4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
    sys.stdout.write(f"LISTENING {port}\n")
    sys.stdout.flush()
