import sys

import socketio

clients = [socketio.SimpleClient() for _ in range(6)]
for number, client in enumerate(clients):
    client.connect(sys.argv[1], auth={"number": number}, transports=["websocket"])
for number, client in enumerate(clients):
    client.receive(timeout=5)
    client.emit("echo", number)
for client in clients:
    print(client.receive(timeout=5), client.call("handshake")["auth"])
for client in clients:
    client.disconnect()
print([client.connected for client in clients], len({id(client) for client in clients}))
