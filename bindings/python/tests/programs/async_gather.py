import asyncio
import sys

import socketio


async def main():
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(sys.argv[1])
        await client.receive(timeout=5)
        print(await asyncio.gather(*(client.call("add", (number, 1)) for number in range(20))))
        print(await asyncio.gather(client.call("slow_ack", 200), client.call("add", (1, 1)),
                                   client.receive(timeout=5), client.emit("echo", "between")))


asyncio.run(main())
