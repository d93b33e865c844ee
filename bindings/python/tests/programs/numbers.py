import sys

import socketio

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1])
    for number in (0, -1, 2**31, 2**53 - 1, -(2**53) + 1, 0.1, -2.5e-10, 1e300, 1.0, 123456789.125):
        answer = client.call("echo_ack", number)
        print(type(answer).__name__, answer)
