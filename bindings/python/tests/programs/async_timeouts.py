import asyncio
import sys

import socketio


async def main():
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(sys.argv[1])
        print((await client.receive())[0])
        for timeout in (0.05, 0.2):
            try:
                await client.call("no_ack", "x", timeout=timeout)
                print("answered")
            except socketio.exceptions.TimeoutError as error:
                print(type(error).__name__)
        for timeout in (0, 0.05, 0.3):
            try:
                print(await client.receive(timeout=timeout))
            except socketio.exceptions.TimeoutError as error:
                print(type(error).__name__)
        print(await client.call("add", (1, 1)))


asyncio.run(main())
