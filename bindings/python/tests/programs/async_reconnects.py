import asyncio
import sys

import socketio


async def main():
    client = socketio.AsyncSimpleClient(reconnection_delay=0.1, reconnection_delay_max=0.2,
                                        randomization_factor=0)
    await client.connect(sys.argv[1], transports=["websocket"])
    first = client.sid
    print((await client.receive(timeout=5))[0])
    await client.emit("drop")
    event = await client.receive(timeout=10)
    print(event[0], await client.call("add", (5, 6)), client.connected)
    print(client.sid == event[1]["sid"], client.sid != first)
    await client.disconnect()
    print(client.connected)


asyncio.run(main())
