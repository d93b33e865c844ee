import asyncio
import sys

import socketio


async def main():
    client = socketio.AsyncSimpleClient()
    await client.connect(sys.argv[1])
    try:
        await client.connect(sys.argv[1])
        print("connected twice")
    except RuntimeError as error:
        print(type(error).__name__, error)
    print(client.connected, await client.call("add", (1, 2)))
    await client.disconnect()
    await client.connect(sys.argv[1])
    print(client.connected, (await client.receive(timeout=5))[0])
    await client.disconnect()


asyncio.run(main())
