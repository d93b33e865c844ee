import json
import sys
from decimal import Decimal

import socketio


class Decimals:
    @staticmethod
    def dumps(value, **arguments):
        return json.dumps(value, default=str, **arguments)

    @staticmethod
    def loads(text, **arguments):
        return json.loads(text, parse_float=Decimal, **arguments)


with socketio.SimpleClient(json=Decimals) as client:
    client.connect(sys.argv[1], auth={"price": Decimal("1.10")})
    client.receive(timeout=5)
    client.emit("echo", {"price": Decimal("2.50"), "half": 0.5})
    print(client.receive(timeout=5))
    print(client.call("echo_ack", (0.25, b"bytes", [0.75])))
    print(client.call("handshake")["auth"])
