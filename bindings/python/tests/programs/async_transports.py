import asyncio
import sys

import socketio


async def main():
    for transports in (["polling"], ["websocket"], "polling", "websocket"):
        async with socketio.AsyncSimpleClient() as client:
            await client.connect(sys.argv[1], transports=transports)
            print(client.transport, await client.call("transport"))
            await client.receive(timeout=5)
            await client.emit("echo", {"bytes": b"\x00\xff"})
            print(await client.receive(timeout=5))
    try:
        await socketio.AsyncSimpleClient().connect(sys.argv[1], transports=["none"])
        print("connected")
    except ValueError as error:
        print("ValueError", error)


asyncio.run(main())
