import asyncio
import sys

import socketio


async def main():
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(sys.argv[1] + "?room=a%20b", headers={"X-Token": "one"},
                             auth={"deep": [{"é": None}]}, transports=["websocket"])
        shown = await client.call("handshake")
        print(shown["headers"]["x-token"], shown["query"]["room"], shown["auth"])
        await client.receive(timeout=5)
        await client.emit("ask", ("how many?", b"bytes"))
        print(await client.receive(timeout=5))
        print(await client.receive(timeout=5))
        await client.emit("echo", ("t" * 100000, bytes(100000)))
        name, text, data = await client.receive(timeout=10)
        print(name, len(text), len(data))


asyncio.run(main())
