import sys

import socketio

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1], transports=["websocket"])
    client.receive(timeout=5)
    for size in (1000, 70000, 300000):
        client.emit("echo", ("t" * size, bytes(size), [list(range(size // 100))]))
        name, text, data, numbers = client.receive(timeout=10)
        print(name, len(text), len(data), numbers == [list(range(size // 100))])
