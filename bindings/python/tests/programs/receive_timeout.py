import sys
import time

import socketio

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1])
    print(client.receive()[0])
    for timeout in (0, 0.05, 0.3):
        begun = time.monotonic()
        try:
            print(client.receive(timeout=timeout))
        except socketio.exceptions.TimeoutError as error:
            print(type(error).__name__, timeout <= time.monotonic() - begun < timeout + 1)
    client.emit("echo", "after all")
    print(client.receive(timeout=5))
    client.emit("echo", "positional")
    print(client.receive(5))
