import sys

import socketio

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1])
    for timeout in (0.05, 0.2, 1e-9):
        try:
            client.call("no_ack", "x", timeout=timeout)
            print("answered")
        except socketio.exceptions.TimeoutError as error:
            print(type(error).__name__, isinstance(error, socketio.exceptions.SocketIOError))
    print(client.connected, client.call("add", (1, 1)))
