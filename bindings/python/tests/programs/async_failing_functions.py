import asyncio
import sys

import socketio


async def failing():
    raise LookupError("no ticket")


def failing_too():
    raise LookupError("no ticket")


async def main():
    for what in ("url", "headers", "auth"):
        for function in (failing, failing_too):
            client = socketio.AsyncSimpleClient()
            try:
                await client.connect(**{"url": sys.argv[1], what: function}, transports=["websocket"])
                print("connected")
            except Exception as error:
                print(what, type(error).__name__, "no ticket" in str(error), client.connected)


asyncio.run(main())
