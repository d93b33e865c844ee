import sys

import socketio

VALUES = ["text", "", 0, 1, -7, 1.5, True, False, [], [1, [2, [3]]], {}, {"a": {"b": [None, True]}},
          [None], 2**40, "a" * 1000, {"": ""}, [{"k": [{}]}]]

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1])
    client.receive(timeout=5)
    for value in VALUES:
        print(client.emit("echo", value))
        event = client.receive(timeout=5)
        print(event, [type(part).__name__ for part in event])
