import sys

import socketio

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1])
    client.receive(timeout=5)
    client.emit("ask", ("how many?", b"bytes"))
    print(client.receive(timeout=5))
    print(client.receive(timeout=5))
