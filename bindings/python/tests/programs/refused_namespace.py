import sys

import socketio

client = socketio.SimpleClient()
try:
    client.connect(sys.argv[1], namespace="/refuse")
    print("connected")
except socketio.exceptions.ConnectionError as error:
    print(type(error).__name__, str(error).startswith(
        "One or more namespaces failed to connect: /refuse"))
print(client.connected, client.sid, client.namespace)
client.connect(sys.argv[1], namespace="/admin")
print(client.connected, client.namespace, client.call("add", (1, 1)))
client.disconnect()
