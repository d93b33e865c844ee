import sys

import socketio

for transports in (["polling"], ["websocket"]):
    client = socketio.SimpleClient(request_timeout=1)
    try:
        client.connect(sys.argv[1], socketio_path="elsewhere", transports=transports)
        print("connected")
    except socketio.exceptions.ConnectionError as error:
        print(type(error).__name__, client.connected)
