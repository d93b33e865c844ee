import sys

import socketio

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1])
    for data in (None, (), "one", ("one",), (1, 2), [1, 2], [], {}, {"a": 1}, ([1], [2], [3]), b"bytes",
                 (b"a", {"b": b"c"}), False, 0, "", (None,), (None, None), [None]):
        answer = client.call("echo_ack", data)
        print(repr(data), type(answer).__name__, repr(answer))
    print(client.call("add", (2, 3)))
    print(client.call(event="add", data=(2, 3), timeout=5))
    print(client.call("add", (2, 3), None))
    print(client.call("echo_ack"))
