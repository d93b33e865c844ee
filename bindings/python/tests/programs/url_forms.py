import sys

import socketio

url = sys.argv[1]
for form in (url, url + "/", url.replace("http", "ws"), lambda: url, url.replace("127.0.0.1", "localhost")):
    with socketio.SimpleClient() as client:
        client.connect(form, transports=["websocket"])
        print(client.call("add", (2, 2)))
for path in ("socket.io", "/socket.io", "socket.io/", "/socket.io/"):
    with socketio.SimpleClient() as client:
        client.connect(url, socketio_path=path)
        print(client.call("add", (2, 2)))
