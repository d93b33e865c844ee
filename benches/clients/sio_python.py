"""The Python package in the benchmark, one cell after the variant:

    sio_python.py simple|async CELL url=URL key=value ...

Prints one line of JSON. The package and the library are found by PYTHONPATH and SIO_LIBRARY.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from ctypes import c_char_p, c_size_t, c_void_p
from typing import Any, Awaitable, Callable

import sio
from sio import _native

#: What was waited for in vain for so long does not come.
PATIENCE = 60.0
#: More than any queue that is measured.
ROOM = {"receive_limit": str(1 << 34)}

_stats = _native._declare("sio_client_stats", c_size_t, c_void_p, c_char_p, c_size_t)


class Options:
    """The arguments key=value, with what holds if they are left out."""

    def __init__(self, words: list[str]) -> None:
        self.url, self.transport, self.kind, self.ca = "", "websocket", "text", ""
        self.bytes, self.count, self.open, self.verify = 64, 1000, 1, 1
        for word in words:
            key, equals, text = word.partition("=")
            if not equals or key not in vars(self):
                raise SystemExit(f"not known: {word}")
            setattr(self, key, type(getattr(self, key))(text))
        if not self.url:
            raise SystemExit("url= is missing")

    def client_arguments(self) -> dict[str, Any]:
        options = {**ROOM, **({"tls_ca_file": self.ca} if self.ca else {})}
        return {"options": options, "ssl_verify": bool(self.verify)}

    def transports(self) -> str | None:
        return None if self.transport == "upgrade" else self.transport

    def final_transport(self) -> str:
        return "polling" if self.transport == "polling" else "websocket"


class Span:
    """Processor and wall time since it was made, for so many messages."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._cpu, self._wall = time.process_time_ns(), time.perf_counter_ns()

    def passed(self) -> dict[str, Any]:
        wall, cpu = time.perf_counter_ns() - self._wall, time.process_time_ns() - self._cpu
        return {"count": self._count, "cpu_us": cpu / 1e3, "wall_us": wall / 1e3}


def percentiles(times: list[int]) -> dict[str, float]:
    times.sort()
    return {"p50_us": times[len(times) // 2] / 1e3, "p99_us": times[len(times) * 99 // 100] / 1e3}


def payload(options: Options) -> Any:
    """The arguments of "tick": dense records, which as JSON text with the event's name are so many
    bytes, or so many bytes themselves."""
    if options.kind == "binary":
        return bytes(index * 37 & 255 for index in range(256)) * (options.bytes // 256) + b"x" * (
            options.bytes % 256
        )

    def record(name: str) -> dict[str, Any]:
        return {"id": 12345, "ok": True, "at": [1.5, -2, 30], "name": name}

    # A record is followed by a comma, or the last by the bracket that ends the text.
    each, room = (
        len(json.dumps(record("ab"), separators=(",", ":"))) + 1,
        options.bytes - len('["tick",'),
    )
    count = max(1, room // each)
    return (*(record("ab") for _ in range(count - 1)), record("ab" + "x" * max(0, room - count * each)))


def check_event(event: list[Any], options: Options) -> None:
    if options.kind == "binary":
        is_good = len(event[1]) == options.bytes
    else:
        is_good = event[0] == "tick" and event[1]["id"] == 12345
    if not is_good:
        raise SystemExit(f"another event came: {event!r:.200}")


def check_count(answer: Any, count: int) -> None:
    if answer != count:
        raise SystemExit(f"{answer} of {count} events came")


def queued(client: Any) -> int:
    """How many events have arrived and wait."""
    return int(json.loads(_native.copied(_stats, client._pointer))["receive_queued"])


def check_patience(until: float, what: str) -> None:
    if time.monotonic() > until:
        raise SystemExit(f"{what} did not come")


def peak_kib() -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))


def tell(said: dict[str, Any]) -> None:
    print(json.dumps(said), flush=True)


# The cells of SimpleClient.


def simple_connected(options: Options) -> sio.SimpleClient:
    client = sio.SimpleClient(**options.client_arguments())
    client.connect(options.url, transports=options.transports(), wait_timeout=30)
    until = time.monotonic() + PATIENCE
    while client.transport != options.final_transport():
        check_patience(until, "the upgrade")
        time.sleep(20e-6)
    return client


def simple_recv(client: sio.SimpleClient, options: Options, count: int) -> None:
    client.emit("flood", (count, options.bytes, options.kind))
    simple_take(client, options, count)


def simple_take(client: sio.SimpleClient, options: Options, count: int) -> None:
    for _ in range(count):
        check_event(client.receive(timeout=30), options)


def simple_emit(client: sio.SimpleClient, data: Any, count: int) -> None:
    for _ in range(count):
        client.emit("tick", data)
    check_count(client.call("done"), count)


def simple_calls(client: sio.SimpleClient, count: int) -> list[int]:
    times = []
    for _ in range(count):
        begun = time.perf_counter_ns()
        client.call("add", (2, 3))
        times.append(time.perf_counter_ns() - begun)
    return times


def simple(cell: str, options: Options) -> None:
    if cell == "connect":
        tell(simple_connects(options))
        return
    with simple_connected(options) as client:
        warm = options.count // 10
        if cell == "start":
            tell({})
        elif cell == "recv":
            simple_recv(client, options, warm)
            span = Span(options.count)
            simple_recv(client, options, options.count)
            tell(span.passed())
        elif cell == "emit":
            data = payload(options)
            simple_emit(client, data, warm)
            span = Span(options.count)
            simple_emit(client, data, options.count)
            tell(span.passed())
        elif cell == "call":
            if options.open != 1:
                raise SystemExit("a SimpleClient has one call open")
            simple_calls(client, warm)
            span = Span(options.count)
            times = simple_calls(client, options.count)
            tell({**span.passed(), **percentiles(times)})
        elif cell == "drain":
            client.emit("flood", (options.count, options.bytes, options.kind))
            until = time.monotonic() + PATIENCE
            while queued(client) < options.count:
                check_patience(until, "the flood")
                time.sleep(1e-3)
            span = Span(options.count)
            simple_take(client, options, options.count)
            tell({**span.passed(), "peak_kib": peak_kib()})
        else:
            raise SystemExit(f"no such cell: {cell}")


def simple_connects(options: Options) -> dict[str, Any]:
    times = []
    for _ in range(options.count + options.count // 10):
        begun = time.perf_counter_ns()
        client = simple_connected(options)
        times.append(time.perf_counter_ns() - begun)
        client.disconnect()
    return {"count": options.count, **percentiles(times[-options.count :])}


# The same of AsyncSimpleClient.


async def async_connected(options: Options) -> sio.AsyncSimpleClient:
    client = sio.AsyncSimpleClient(**options.client_arguments())
    await client.connect(options.url, transports=options.transports(), wait_timeout=30)
    until = time.monotonic() + PATIENCE
    while client.transport != options.final_transport():
        check_patience(until, "the upgrade")
        await asyncio.sleep(0)
    return client


async def async_recv(client: sio.AsyncSimpleClient, options: Options, count: int) -> None:
    await client.emit("flood", (count, options.bytes, options.kind))
    await async_take(client, options, count)


async def async_take(client: sio.AsyncSimpleClient, options: Options, count: int) -> None:
    for _ in range(count):
        check_event(await client.receive(timeout=30), options)


async def async_emit(client: sio.AsyncSimpleClient, data: Any, count: int) -> None:
    for _ in range(count):
        await client.emit("tick", data)
    check_count(await client.call("done"), count)


async def async_calls(client: sio.AsyncSimpleClient, count: int, open_calls: int) -> list[int]:
    """So many tasks, each of which calls again as soon as it has its answer."""
    times: list[int] = []
    left = count

    async def caller() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            begun = time.perf_counter_ns()
            await client.call("add", (2, 3))
            times.append(time.perf_counter_ns() - begun)

    await asyncio.gather(*(caller() for _ in range(open_calls)))
    return times


async def asynchronous(cell: str, options: Options) -> None:
    if cell == "connect":
        tell(await async_connects(options))
        return
    async with await async_connected(options) as client:
        warm = options.count // 10
        if cell == "start":
            tell({})
        elif cell == "recv":
            await async_recv(client, options, warm)
            span = Span(options.count)
            await async_recv(client, options, options.count)
            tell(span.passed())
        elif cell == "emit":
            data = payload(options)
            await async_emit(client, data, warm)
            span = Span(options.count)
            await async_emit(client, data, options.count)
            tell(span.passed())
        elif cell == "call":
            await async_calls(client, warm, options.open)
            span = Span(options.count)
            times = await async_calls(client, options.count, options.open)
            tell({**span.passed(), **percentiles(times)})
        elif cell == "drain":
            await client.emit("flood", (options.count, options.bytes, options.kind))
            until = time.monotonic() + PATIENCE
            while queued(client) < options.count:
                check_patience(until, "the flood")
                await asyncio.sleep(1e-3)
            span = Span(options.count)
            await async_take(client, options, options.count)
            tell({**span.passed(), "peak_kib": peak_kib()})
        else:
            raise SystemExit(f"no such cell: {cell}")


async def async_connects(options: Options) -> dict[str, Any]:
    times = []
    for _ in range(options.count + options.count // 10):
        begun = time.perf_counter_ns()
        client = await async_connected(options)
        times.append(time.perf_counter_ns() - begun)
        await client.disconnect()
    return {"count": options.count, **percentiles(times[-options.count :])}


VARIANTS: dict[str, Callable[[str, Options], Awaitable[None] | None]] = {
    "simple": simple,
    "async": asynchronous,
}


def main() -> None:
    if len(sys.argv) < 3 or sys.argv[1] not in VARIANTS:
        raise SystemExit("usage: sio_python.py simple|async CELL url=URL key=value ...")
    waits = VARIANTS[sys.argv[1]](sys.argv[2], Options(sys.argv[3:]))
    if waits is not None:
        asyncio.run(waits)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
