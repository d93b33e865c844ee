import sys

import socketio

for arguments in ({"no_such_argument": 1}, {"reconnect": True}):
    try:
        client = socketio.SimpleClient(**arguments)
        client.connect(sys.argv[1])
        print("connected")
    except TypeError as error:
        print("TypeError", list(arguments)[0] in str(error))
