import asyncio
import sys

import socketio


async def main():
    client = socketio.AsyncSimpleClient()
    for namespace in ("/refuse", "/nowhere"):
        try:
            await client.connect(sys.argv[1], namespace=namespace)
            print("connected")
        except socketio.exceptions.ConnectionError as error:
            print(type(error).__name__, str(error).startswith(
                f"One or more namespaces failed to connect: {namespace}"))
        print(client.connected, client.sid)
    await client.connect(sys.argv[1], namespace="/admin")
    print(client.connected, client.namespace, await client.call("add", (1, 1)))
    await client.disconnect()


asyncio.run(main())
