import sys

import socketio

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1], namespace="/admin")
    print(client.namespace, client.connected, client.receive(timeout=5)[0])
    client.emit("echo", {"in": "/admin", "bytes": b"b"})
    print(client.receive(timeout=5))
    print(client.call("echo_ack", (1, b"2")))
