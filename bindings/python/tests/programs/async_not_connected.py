import asyncio
import socket

import socketio


async def main():
    client = socketio.AsyncSimpleClient()
    try:
        await client.receive(timeout=0.1)
        print("received")
    except socketio.exceptions.TimeoutError:
        print("nothing to receive")
    print(await client.disconnect())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for transports in (None, ["websocket"], ["polling"]):
        try:
            await client.connect(f"http://127.0.0.1:{port}", transports=transports)
            print("connected")
        except socketio.exceptions.ConnectionError as error:
            print(type(error).__name__, bool(str(error)), client.connected)


asyncio.run(main())
