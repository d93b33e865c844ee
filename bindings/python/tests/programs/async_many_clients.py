import asyncio
import sys

import socketio


async def one(number):
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(sys.argv[1], auth={"number": number})
        await client.receive(timeout=10)
        await client.emit("echo", number)
        return await client.receive(timeout=10), (await client.call("handshake"))["auth"]


async def main():
    for answer in await asyncio.gather(*(one(number) for number in range(10))):
        print(answer)


asyncio.run(main())
