import asyncio
import sys

import socketio

early = socketio.AsyncSimpleClient()
late = socketio.AsyncSimpleClient()


async def use(client):
    await client.connect(sys.argv[1])
    print((await client.receive(timeout=5))[0], await client.call("add", (1, 2)))
    await client.disconnect()
    print(client.connected)


asyncio.run(use(early))
asyncio.run(use(late))
