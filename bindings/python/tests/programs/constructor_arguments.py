import logging
import sys

import socketio

quiet = logging.getLogger("quiet")
quiet.addHandler(logging.NullHandler())
quiet.propagate = False
client = socketio.SimpleClient(
    reconnection=True, reconnection_attempts=2, reconnection_delay=1, reconnection_delay_max=2,
    randomization_factor=0.1, logger=quiet, serializer="default", json=None, handle_sigint=False,
    engineio_logger=quiet, request_timeout=3, http_session=None, ssl_verify=True,
    websocket_extra_options=None, timestamp_requests=True)
client.connect(sys.argv[1])
print(client.call("add", (4, 5)))
client.disconnect()
