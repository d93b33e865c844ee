import sys

import socketio

client = socketio.SimpleClient()
print(client.connected, client.sid, repr(client.transport), client.namespace)
print(client.connect(sys.argv[1]))
print(client.connected, type(client.sid).__name__, type(client.transport).__name__)
event = client.receive(timeout=5)
print(type(event).__name__, event[0], list(event[1]), event[1]["sid"] == client.sid)
print(client.disconnect())
print(client.connected, client.sid)
client.disconnect()
