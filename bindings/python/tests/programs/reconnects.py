import sys

import socketio

client = socketio.SimpleClient(reconnection_delay=0.1, reconnection_delay_max=0.2, randomization_factor=0)
client.connect(sys.argv[1], transports=["websocket"])
first = client.sid
print(client.receive(timeout=5)[0])
client.emit("drop")
event = client.receive(timeout=10)
print(event[0], client.call("add", (5, 6)), client.connected)
print(client.sid == event[1]["sid"], client.sid != first)
client.emit("echo", "again")
print(client.receive(timeout=5))
client.disconnect()
print(client.connected)
