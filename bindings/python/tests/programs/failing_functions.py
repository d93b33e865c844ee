import sys

import socketio


def failing():
    raise LookupError("no ticket")


for what in ("url", "headers", "auth"):
    client = socketio.SimpleClient()
    arguments = {"url": sys.argv[1], what: failing}
    try:
        client.connect(**arguments, transports=["websocket"])
        print("connected")
    except Exception as error:
        print(what, type(error).__name__, "no ticket" in str(error), client.connected)
