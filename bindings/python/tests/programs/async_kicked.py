import asyncio
import sys

import socketio


async def main():
    client = socketio.AsyncSimpleClient()
    await client.connect(sys.argv[1])
    await client.emit("echo", "before")
    print(await client.call("add", (1, 1)))
    await client.emit("kick")
    for _ in range(1000):
        if not client.connected:
            break
        await asyncio.sleep(0.01)
    print(client.connected, client.sid)
    print((await client.receive())[0], await client.receive())
    for what in (client.receive(), client.receive(timeout=1), client.emit("echo", 1), client.call("add", (1, 1))):
        try:
            await what
            print("done")
        except socketio.exceptions.DisconnectedError as error:
            print(type(error).__name__)
    await client.connect(sys.argv[1])
    print(client.connected, await client.call("add", (2, 2)))
    await client.disconnect()


asyncio.run(main())
