import sys

import socketio

client = socketio.SimpleClient(True, 3, 0.1, 0.2, 0)
client.connect(sys.argv[1], {"X-Token": "t"}, {"name": "by position"}, ["websocket"], "/admin",
               "socket.io", 4)
shown = client.call("handshake", None, 5)
print(shown["headers"]["x-token"], shown["auth"], client.transport, client.namespace)
client.disconnect()
