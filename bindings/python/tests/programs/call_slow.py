import sys

import socketio

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1])
    print(client.call("slow_ack", 300))
    try:
        client.call("slow_ack", 600, timeout=0.2)
        print("answered")
    except socketio.exceptions.TimeoutError:
        print("too slow")
    print(client.call("add", (1, 2)))
    print(client.call("slow_ack", 500))
    print(client.call("add", (3, 4)))
