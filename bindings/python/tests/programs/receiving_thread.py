import sys
import threading

import socketio

client = socketio.SimpleClient()
client.connect(sys.argv[1])
got = []
enough = threading.Event()


def receive():
    while len(got) < 11:
        got.append(client.receive(timeout=10))
    enough.set()


thread = threading.Thread(target=receive)
thread.start()
for number in range(10):
    client.emit("echo", number)
    print(client.call("add", (number, 1)))
print(enough.wait(10))
thread.join()
print(sorted(event[1] for event in got if event[0] == "echo"))
client.disconnect()
