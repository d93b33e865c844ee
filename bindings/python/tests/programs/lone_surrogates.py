import sys

import socketio

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1])
    client.receive(timeout=5)
    for text in ("\ud800", "a\udfffb", "\udc00\ud800"):
        client.emit("echo", text)
        print(ascii(client.receive(timeout=5)))
