import sys

import socketio

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1])
    client.receive(timeout=5)
    for data in ({1, 2}, object(), [1, {2}], {"a": object()}, (1, {3})):
        for send in (client.emit, client.call):
            try:
                send("echo", data)
                print("sent")
            except TypeError as error:
                print("TypeError", error if data.__class__ is set else "")
    client.emit("echo", {1: "one", None: "none", True: "true", 1.5: "float"})
    print(client.receive(timeout=5))
