import asyncio
import sys

import socketio


async def main():
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(sys.argv[1])
        await client.receive(timeout=5)
        for _ in range(3):
            try:
                print(await asyncio.wait_for(client.receive(), 0.05))
            except asyncio.TimeoutError:
                print("nothing yet")
        await client.emit("echo", "still here")
        print(await asyncio.wait_for(client.receive(), 5))
        try:
            await asyncio.wait_for(client.call("no_ack"), 0.1)
            print("answered")
        except asyncio.TimeoutError:
            print("no answer")
        print(await asyncio.wait_for(client.call("add", (1, 2)), 5))


asyncio.run(main())
