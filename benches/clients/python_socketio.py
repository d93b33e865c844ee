"""Measures PyPI python-socketio as `benches/run.py` asks for it:

    python_socketio.py simple|async CELL key=value ...

Prints one line of JSON. Exit status 2: the client cannot do what is asked for.
"""

import asyncio
import json
import os
import signal
import ssl
import sys
import time

import engineio
import socketio

# How long a connect or an answer may take, and all together, before it counts as lost, in seconds.
LONGEST, LONGEST_IN_ALL = 60, 300
VARIANT, CELL, *PAIRS = sys.argv[1:]
GIVEN = dict(pair.split("=", 1) for pair in PAIRS)
URL, CA = GIVEN["url"], GIVEN.get("ca")
VERIFY = GIVEN.get("verify") != "0"
KIND, TRANSPORT = GIVEN.get("kind", "text"), GIVEN.get("transport", "websocket")
COUNT, BYTES, OPEN = (int(GIVEN.get(key, 1)) for key in ("count", "bytes", "open"))
WARM = -(-COUNT // 10)
# An answer to a poll with more than 16 packets ends the connection otherwise.
engineio.payload.Payload.max_decode_packets = sys.maxsize
# Without a list it connects by polling and waits for the upgrade.
TRANSPORTS = None if TRANSPORT == "upgrade" else [TRANSPORT]


class Simple:
    """The cells on SimpleClient."""

    def connected(self):
        options = {"reconnection": False, "ssl_verify": VERIFY}
        if CA:
            import requests

            options["http_session"] = requests.Session()
            options["http_session"].verify = CA
        client = socketio.SimpleClient(**options)
        client.connect(URL, transports=TRANSPORTS, wait_timeout=LONGEST)
        expect_upgraded(client)
        return client

    def recv(self):
        client = self.connected()
        self.flood(client, WARM)
        usage = measure()
        self.flood(client, COUNT)
        return {"count": COUNT, **usage()}

    def flood(self, client, events):
        client.emit("flood", (events, BYTES, KIND))
        for _ in range(events):
            touch(client.receive())

    def emit(self):
        client, args = self.connected(), payload()
        self.emits(client, WARM, args)
        usage = measure()
        self.emits(client, COUNT, args)
        return {"count": COUNT, **usage()}

    def emits(self, client, events, args):
        for _ in range(events):
            client.emit("tick", args)
        expect_counted(client.call("done", timeout=LONGEST), events)

    def call(self):
        if OPEN > 1:
            fail("SimpleClient has one call at a time, it waits for the answer", 2)
        client = self.connected()
        self.calls(client, WARM)
        usage = measure()
        times = self.calls(client, COUNT)
        return {"count": COUNT, **usage(), **percentiles(times)}

    def calls(self, client, count):
        times = []
        for _ in range(count):
            start = time.perf_counter()
            client.call("add", (2, 3))
            times.append(time.perf_counter() - start)
        return times

    def drain(self):
        client = self.connected()
        client.emit("flood", (COUNT, BYTES, KIND))
        for wait in queued(client):
            time.sleep(wait)
        usage = measure()
        for _ in range(COUNT):
            touch(client.receive())
        return {"count": COUNT, **usage()}

    def connect(self):
        times = []
        for i in range(-WARM, COUNT):
            start = time.perf_counter()
            client = self.connected()
            if i >= 0:
                times.append(time.perf_counter() - start)
            client.disconnect()
        return {"count": COUNT, **percentiles(times)}

    def start(self):
        self.client = self.connected()
        return {"count": 1}

    def idle(self):
        before, clients = status("VmRSS"), []
        for _ in range(int(GIVEN["clients"])):
            clients.append(self.connected())
        usage = measure()
        time.sleep(float(GIVEN["seconds"]))
        return idled(usage()["cpu_us"], before, clients)


class Async:
    """The cells on AsyncSimpleClient."""

    async def connected(self):
        options = {"reconnection": False, "ssl_verify": VERIFY}
        if CA:
            import aiohttp

            trust = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=CA))
            options["http_session"] = aiohttp.ClientSession(connector=trust)
        client = socketio.AsyncSimpleClient(**options)
        await client.connect(URL, transports=TRANSPORTS, wait_timeout=LONGEST)
        expect_upgraded(client)
        return client

    async def recv(self):
        client = await self.connected()
        await self.flood(client, WARM)
        usage = measure()
        await self.flood(client, COUNT)
        return {"count": COUNT, **usage()}

    async def flood(self, client, events):
        await client.emit("flood", (events, BYTES, KIND))
        for _ in range(events):
            touch(await client.receive())

    async def emit(self):
        client, args = await self.connected(), payload()
        await self.emits(client, WARM, args)
        usage = measure()
        await self.emits(client, COUNT, args)
        return {"count": COUNT, **usage()}

    async def emits(self, client, events, args):
        for _ in range(events):
            await client.emit("tick", args)
        expect_counted(await client.call("done", timeout=LONGEST), events)

    async def call(self):
        client = await self.connected()
        await self.calls(client, WARM)
        usage = measure()
        times = await self.calls(client, COUNT)
        return {"count": COUNT, **usage(), **percentiles(times)}

    async def calls(self, client, count):
        times, numbers = [], iter(range(count))

        async def one_after_another():
            for _ in numbers:
                start = time.perf_counter()
                await client.call("add", (2, 3))
                times.append(time.perf_counter() - start)

        await asyncio.gather(*(one_after_another() for _ in range(OPEN)))
        return times

    async def drain(self):
        client = await self.connected()
        await client.emit("flood", (COUNT, BYTES, KIND))
        for wait in queued(client):
            await asyncio.sleep(wait)
        usage = measure()
        for _ in range(COUNT):
            touch(await client.receive())
        return {"count": COUNT, **usage()}

    async def connect(self):
        times = []
        for i in range(-WARM, COUNT):
            start = time.perf_counter()
            client = await self.connected()
            if i >= 0:
                times.append(time.perf_counter() - start)
            await client.disconnect()
        return {"count": COUNT, **percentiles(times)}

    async def start(self):
        self.client = await self.connected()
        return {"count": 1}

    async def idle(self):
        before, clients = status("VmRSS"), []
        for _ in range(int(GIVEN["clients"])):
            clients.append(await self.connected())
        usage = measure()
        await asyncio.sleep(float(GIVEN["seconds"]))
        return idled(usage()["cpu_us"], before, clients)


def touch(event):
    first = event[1]
    if len(first) != BYTES if KIND == "binary" else first["id"] != 12345:
        fail("an event without its payload")


def expect_upgraded(client):
    if TRANSPORT == "upgrade" and client.transport != "websocket":
        fail("connected without the upgrade")


def expect_counted(counted, events):
    if counted != events:
        fail(f"the server counted {counted} of {events} events")


def queued(client):
    """Hands out how long to wait until all events are in the client's buffer."""
    while len(client.input_buffer) < COUNT:
        yield 0.01


def payload():
    """The arguments of an event as those that the server sends."""
    if KIND == "binary":
        return os.urandom(BYTES)
    if KIND == "string":
        return padded([{"id": 12345, "text": ""}], "text")
    record = {"id": 12345, "ok": True, "at": [1.5, -2, 30], "name": "ab"}
    records = max((BYTES - length([])) // (length([record]) - length([])), 1)
    return padded([dict(record) for _ in range(records)], "name")


def padded(args, key):
    args[-1][key] += "x" * (BYTES - length(args))
    return tuple(args)


def length(args):
    return len(json.dumps(["tick", *args], separators=(",", ":")))


def measure():
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()

    def usage():
        cpu_us = (time.process_time_ns() - cpu) // 1000
        return {"cpu_us": cpu_us, "wall_us": (time.perf_counter_ns() - wall) // 1000}

    return usage


def percentiles(times):
    times.sort()
    return {
        name: round(times[int(len(times) * share)] * 1e6, 1)
        for name, share in (("p50_us", 0.5), ("p99_us", 0.99))
    }


def idled(cpu_us, before, clients):
    rss = status("VmRSS")
    each = (rss - before) / len(clients)
    return {"count": len(clients), "cpu_us": cpu_us, "rss_kib": rss, "kib_each": each}


def status(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def fail(text, code=1):
    print(f"python_socketio.py: {text}", file=sys.stderr, flush=True)
    os._exit(code)


cell = getattr({"simple": Simple, "async": Async}[VARIANT](), CELL, None)
if cell is None:
    fail(f"python-socketio has no {CELL}", 2)
# A timeout at each receive would be measured with it.
signal.signal(signal.SIGALRM, lambda *_: fail(f"not done after {LONGEST_IN_ALL} s"))
signal.alarm(LONGEST_IN_ALL)
try:
    figures = asyncio.run(cell()) if VARIANT == "async" else cell()
except socketio.exceptions.SocketIOError as error:
    fail(f"{type(error).__name__}: {error}")
if CELL != "start":
    figures |= {"peak_kib": status("VmHWM"), "threads": status("Threads")}
print(json.dumps(figures), flush=True)
# At once: the clients' threads need not come to an end, nor be told to.
os._exit(0)
