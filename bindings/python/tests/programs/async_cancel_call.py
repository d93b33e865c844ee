import asyncio
import sys

import socketio


async def main():
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(sys.argv[1])
        tasks = [asyncio.create_task(client.call("no_ack", number)) for number in range(5)]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        print([type(result).__name__ for result in await asyncio.gather(*tasks, return_exceptions=True)])
        print(client.connected, await client.call("add", (1, 1)))


asyncio.run(main())
