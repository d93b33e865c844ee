import asyncio
import sys

import socketio

DATA = [None, (), (1,), (1, 2), [1, 2], "text", "é🚀", 0, 1.5, True, {}, {"a": [None]}, b"", b"bytes",
        bytearray(b"array"), {"a": b"1", "b": [b"2", {"c": b"3"}]}, (b"first", "text", b"last")]


async def main():
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(sys.argv[1])
        await client.receive(timeout=5)
        for data in DATA:
            print(await client.emit("echo", data))
            print(await client.receive(timeout=5))
        await client.emit(event="echo", data="by keyword")
        print(await client.receive(5))


asyncio.run(main())
