import socketio

client = socketio.SimpleClient()
print(client.connected, client.sid, repr(client.transport), client.namespace)
try:
    client.receive(timeout=0.1)
    print("received")
except socketio.exceptions.TimeoutError:
    print("nothing to receive")
print(client.disconnect())
with socketio.SimpleClient() as client:
    print(client.connected)
