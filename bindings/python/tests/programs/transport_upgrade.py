import sys
import time

import socketio

client = socketio.SimpleClient()
client.connect(sys.argv[1], transports=["polling", "websocket"])
deadline = time.monotonic() + 10
while client.transport != "websocket" or client.call("transport") != "websocket":
    assert time.monotonic() < deadline
    time.sleep(0.01)
print(client.transport, client.call("transport"))
client.disconnect()
