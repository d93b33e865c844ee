import sys
import time

import socketio

client = socketio.SimpleClient()
client.connect(sys.argv[1])
client.emit("echo", "before")
print(client.call("add", (1, 1)))
client.emit("kick")
deadline = time.monotonic() + 10
while client.connected and time.monotonic() < deadline:
    time.sleep(0.01)
print(client.connected, client.sid)
print(client.receive()[0], client.receive())
for what in (lambda: client.receive(), lambda: client.receive(timeout=1), lambda: client.emit("echo", 1),
             lambda: client.call("add", (1, 1))):
    try:
        what()
        print("done")
    except socketio.exceptions.DisconnectedError as error:
        print(type(error).__name__)
print(client.disconnect())
client.connect(sys.argv[1])
print(client.connected, client.call("add", (2, 2)))
client.disconnect()
