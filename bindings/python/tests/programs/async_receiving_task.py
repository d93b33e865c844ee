import asyncio
import sys

import socketio


async def main():
    client = socketio.AsyncSimpleClient()
    await client.connect(sys.argv[1])
    got = []

    async def receive():
        while True:
            got.append(await client.receive())
            if got[-1][1] == "last":
                return "last"

    task = asyncio.create_task(receive())
    for number in range(10):
        await client.emit("echo", number)
        print(await client.call("add", (number, 1)))
    await client.emit("echo", "last")
    print(await asyncio.wait_for(task, 10), [event[1] for event in got[1:]])
    await client.disconnect()


asyncio.run(main())
