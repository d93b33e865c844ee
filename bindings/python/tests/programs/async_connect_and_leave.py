import asyncio
import sys

import socketio


async def main():
    client = socketio.AsyncSimpleClient()
    print(client.connected, client.sid, repr(client.transport), client.namespace)
    print(await client.connect(sys.argv[1]))
    print(client.connected, type(client.sid).__name__, type(client.transport).__name__)
    event = await client.receive(timeout=5)
    print(type(event).__name__, event[0], list(event[1]), event[1]["sid"] == client.sid)
    print(await client.disconnect())
    print(client.connected, client.sid)
    await client.disconnect()


asyncio.run(main())
