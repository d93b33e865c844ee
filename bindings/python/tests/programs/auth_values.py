import sys

import socketio

for auth in ({"token": "secret"}, {"token": "wrong"}, None, {}, lambda: {"token": "secret"}):
    client = socketio.SimpleClient()
    try:
        client.connect(sys.argv[1], auth=auth, namespace="/auth")
        print("let in", client.call("add", (1, 1)))
    except socketio.exceptions.ConnectionError:
        print("refused", client.connected)
    client.disconnect()
with socketio.SimpleClient() as client:
    client.connect(sys.argv[1], auth={"name": "a name", "deep": [{"é": None}]})
    print(client.call("handshake")["auth"])
with socketio.SimpleClient() as client:
    client.connect(sys.argv[1])
    print(client.call("handshake")["auth"])
