import asyncio
import sys

import socketio

asked = []


async def url():
    asked.append("url")
    await asyncio.sleep(0.01)
    return sys.argv[1]


def headers():
    asked.append("headers")
    return {"X-Attempt": str(asked.count("headers"))}


async def auth():
    asked.append("auth")
    return {"token": "secret", "attempt": asked.count("auth")}


async def main():
    client = socketio.AsyncSimpleClient(reconnection_delay=0.1, randomization_factor=0)
    await client.connect(url, headers=headers, auth=auth, transports=["websocket"], namespace="/auth")
    await client.receive(timeout=5)
    for attempt in (1, 2, 3):
        shown = await client.call("handshake")
        print(attempt, shown["headers"]["x-attempt"], shown["auth"], asked)
        if attempt < 3:
            await client.emit("drop")
            print((await client.receive(timeout=10))[0])
    await client.disconnect()


asyncio.run(main())
