import sys

import socketio

client = socketio.SimpleClient()
client.connect(sys.argv[1], transports="websocket")
print(client.transport, client.call("transport"))
client.emit("echo", {"by": "websocket", "bytes": b"\x00\xff"})
print(client.receive(timeout=5)[0], client.receive(timeout=5))
client.disconnect()
