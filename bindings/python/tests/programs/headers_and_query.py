import sys

import socketio

for headers in ({"X-Token": "one", "x-second": "two words"}, lambda: {"X-Token": "from a function"}, {}):
    with socketio.SimpleClient() as client:
        client.connect(sys.argv[1] + "?room=a%20b&empty=&n=1", headers=headers, transports=["websocket"])
        shown = client.call("handshake")
        print({name: shown["headers"].get(name) for name in ("x-token", "x-second")})
        print({name: shown["query"].get(name) for name in ("room", "empty", "n", "transport", "EIO")})
