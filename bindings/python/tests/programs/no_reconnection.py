import sys
import time

import socketio

client = socketio.SimpleClient(reconnection=False)
client.connect(sys.argv[1], transports=["websocket"])
print(client.receive(timeout=5)[0])
client.emit("drop")
deadline = time.monotonic() + 10
while client.connected and time.monotonic() < deadline:
    time.sleep(0.01)
print(client.connected)
try:
    client.receive()
    print("received")
except socketio.exceptions.DisconnectedError:
    print("the end")
