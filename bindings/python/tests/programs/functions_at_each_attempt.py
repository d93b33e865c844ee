import sys

import socketio

asked = []


def url():
    asked.append("url")
    return sys.argv[1]


def headers():
    asked.append("headers")
    return {"X-Attempt": str(asked.count("headers"))}


def auth():
    asked.append("auth")
    return {"attempt": asked.count("auth")}


client = socketio.SimpleClient(reconnection_delay=0.1, randomization_factor=0)
client.connect(url, headers=headers, auth=auth, transports=["websocket"])
client.receive(timeout=5)
for attempt in (1, 2, 3):
    shown = client.call("handshake")
    print(attempt, shown["headers"]["x-attempt"], shown["auth"], asked)
    if attempt < 3:
        client.emit("drop")
        print(client.receive(timeout=10)[0])
client.disconnect()
