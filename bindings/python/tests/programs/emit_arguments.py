import sys

import socketio

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1])
    client.receive(timeout=5)
    for data in (None, (), (1,), (1, 2), ([1, 2],), ("a", {"b": 1}, None, [b"c"]), ((1, 2), 3), [1, 2],
                 (None, None), ("",)):
        client.emit("echo", data)
        print(data, client.receive(timeout=5))
    client.emit("echo")
    print(client.receive(timeout=5))
    client.emit(event="echo", data="by keyword")
    print(client.receive(timeout=5))
