import sys

import socketio

DATA = [b"", b"\x00", b"bytes", bytearray(b"array"), [b"in a list", "text", b""],
        {"a": b"1", "b": {"c": [b"2", {"d": b"3"}]}}, (b"first", "text", b"last"),
        [[[[b"deep"]]]], bytes(range(256)), (b"same", b"same"), {"placeholder": b"x", "num": 0}]

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1])
    client.receive(timeout=5)
    for data in DATA:
        client.emit("echo", data)
        event = client.receive(timeout=5)
        print(event, type(event[1]).__name__)
