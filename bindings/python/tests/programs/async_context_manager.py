import asyncio
import sys

import socketio


async def main():
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(sys.argv[1])
        print(type(client).__name__, client.connected)
    print(client.connected)
    try:
        async with socketio.AsyncSimpleClient() as client:
            await client.connect(sys.argv[1])
            raise KeyError("mine")
    except KeyError as error:
        print(error, client.connected)


asyncio.run(main())
