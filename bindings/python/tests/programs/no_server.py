import socket

import socketio

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
for url in (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}?a=b"):
    for transports in (None, ["websocket"], ["polling"]):
        client = socketio.SimpleClient()
        try:
            client.connect(url, transports=transports)
            print("connected")
        except socketio.exceptions.ConnectionError as error:
            print(type(error).__name__, bool(str(error)), client.connected)
        client.disconnect()
