import socketio
from socketio.exceptions import ConnectionError, DisconnectedError, SocketIOError, TimeoutError

for error in (ConnectionError, DisconnectedError, TimeoutError, socketio.exceptions.BadNamespaceError,
              socketio.exceptions.ConnectionRefusedError, SocketIOError):
    print([base.__name__ for base in error.__mro__])
print(socketio.exceptions.ConnectionRefusedError("no", 1).error_args)
