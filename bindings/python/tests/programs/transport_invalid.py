import sys

import socketio

for transports in (["carrier pigeon"], "smoke", []):
    client = socketio.SimpleClient()
    try:
        client.connect(sys.argv[1], transports=transports)
        print("connected")
        client.disconnect()
    except ValueError as error:
        print("ValueError", error)
