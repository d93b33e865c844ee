"""Times python-socketio's SimpleClient as client.c does the library: client.py PORT."""

import statistics
import sys
import time

import socketio

# Fewer than of the others, which are several times faster.
WARM_CONNECTS, CONNECTS, WARM_CALLS, CALLS = 5, 50, 100, 500
URL = f"http://127.0.0.1:{sys.argv[1]}"


def now():
    return time.perf_counter() * 1e6


def connected(transport):
    client = socketio.SimpleClient(reconnection=False)
    client.connect(URL, transports=[transport])
    return client


def connects(transport):
    times = []
    for i in range(-WARM_CONNECTS, CONNECTS):
        start = now()
        client = connected(transport)
        if i >= 0:
            times.append(now() - start)
        client.disconnect()
    return statistics.median(times)


def calls(transport):
    client = connected(transport)
    times = []
    for i in range(-WARM_CALLS, CALLS):
        start = now()
        client.call("add", (2, 3))
        if i >= 0:
            times.append(now() - start)
    client.disconnect()
    return statistics.median(times)


print(f"{connects('polling'):.1f} {connects('websocket'):.1f} {calls('polling'):.1f}", flush=True)
