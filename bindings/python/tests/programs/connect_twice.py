import sys

import socketio

client = socketio.SimpleClient()
client.connect(sys.argv[1])
try:
    client.connect(sys.argv[1])
    print("connected twice")
except RuntimeError as error:
    print(type(error).__name__, error)
print(client.connected, client.call("add", (1, 2)))
client.disconnect()
client.connect(sys.argv[1])
print(client.connected, client.receive(timeout=5)[0], client.call("add", (3, 4)))
client.disconnect()
