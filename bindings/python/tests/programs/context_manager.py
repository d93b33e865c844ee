import sys

import socketio

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1])
    print(type(client).__name__, client.connected)
print(client.connected)
try:
    with socketio.SimpleClient() as client:
        client.connect(sys.argv[1])
        raise KeyError("mine")
except KeyError as error:
    print(error, client.connected)
