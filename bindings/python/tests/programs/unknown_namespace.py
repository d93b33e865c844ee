import sys

import socketio

client = socketio.SimpleClient()
try:
    client.connect(sys.argv[1], namespace="/nowhere")
    print("connected")
except socketio.exceptions.SocketIOError as error:
    print(type(error).__name__)
print(client.connected)
client.disconnect()
