import asyncio
import sys

import socketio


async def main():
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(sys.argv[1])
        for data in (None, (), "one", ("one",), (1, 2), [1, 2], [], {"a": 1}, b"bytes", (b"a", {"b": b"c"}),
                     False, (None,), (None, None)):
            answer = await client.call("echo_ack", data)
            print(repr(data), type(answer).__name__, repr(answer))
        print(await client.call(event="add", data=(2, 3), timeout=5))
        print(await client.call("add", (2, 3), None))


asyncio.run(main())
