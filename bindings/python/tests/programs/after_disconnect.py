import sys

import socketio

client = socketio.SimpleClient()
client.connect(sys.argv[1])
client.receive(timeout=5)
client.emit("echo", "kept")
client.call("echo_ack")
client.disconnect()
print(client.connected, client.sid, client.receive(timeout=5))
for what in (lambda: client.receive(timeout=5), lambda: client.emit("echo"), lambda: client.call("add", (1, 2))):
    try:
        what()
        print("done")
    except socketio.exceptions.DisconnectedError as error:
        print(type(error).__name__)
