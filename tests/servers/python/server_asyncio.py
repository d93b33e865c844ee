"""The test protocol on python-socketio's AsyncServer, served by aiohttp.

A defect of the parts below is kept out here: python-engineio reads the body of a POST by one `read`,
which in aiohttp gives what has come so far, so that a body that comes in pieces is cut, and what is
lost is lost without a word.
"""

import asyncio
import time

import socketio
from aiohttp import web
from socketio import packet

import protocol
from protocol import Ack, Ask, Drop, Emit, Flood, Kick, KickHard


# So long a flood may keep the loop to itself. What the client sends needs three turns for each event.
TURN_SECONDS = 0.0005


class WholeBody:
    """The body of a request, which is read to its end."""

    def __init__(self, content):
        self.content = content

    async def read(self, length):
        return await self.content.readexactly(length)


class Host:
    """Carries out the actions of the test protocol."""

    def __init__(self, given):
        self.sio = socketio.AsyncServer(async_mode="aiohttp", **protocol.server_options(given))
        translate = self.sio.eio._async["translate_request"]

        def translate_request(request):
            environ = translate(request)
            environ["wsgi.input"] = WholeBody(environ["wsgi.input"])
            return environ

        self.sio.eio._async = {**self.sio.eio._async, "translate_request": translate_request}
        self.protocol = protocol.Protocol(self.sio)
        self.floods = set()
        self.cookie = given.cookie
        self.connections = protocol.Connections()
        for namespace in protocol.NAMESPACES:
            self._serve(namespace)

    @web.middleware
    async def on_request(self, request, handler):
        """What goes before each HTTP request."""
        self.connections.note(request.query_string, request.transport)
        if protocol.lacks_cookie(self.cookie, request.query_string, request.headers.get("Cookie", "")):
            return web.Response(status=400, text="no sticky cookie")
        return await handler(request)

    def _serve(self, namespace):
        async def connect(sid, environ, auth):
            self.protocol.connect(sid, namespace, auth)
            await self._emit(sid, namespace, "welcome", ({"sid": sid},))

        async def disconnect(sid, reason):
            self.protocol.disconnect(sid, reason)

        async def event(name, sid, *args):
            actions = self.protocol.respond(sid, name, args)
            answer = self.sio.not_handled
            for action in actions:
                if isinstance(action, Ack):
                    if action.after_ms:
                        await asyncio.sleep(action.after_ms / 1000)
                    answer = action.args
                else:
                    await self._do(sid, namespace, action)
            return answer

        self.sio.on("connect", connect, namespace=namespace)
        self.sio.on("disconnect", disconnect, namespace=namespace)
        self.sio.on("*", event, namespace=namespace)

    async def _do(self, sid, namespace, action):
        eio_sid = self.sio.manager.eio_sid_from_sid(sid, namespace)
        match action:
            case Emit():
                await self._emit(sid, namespace, action.name, action.args)
            case Ask():

                async def answered(*args):
                    await self._emit(sid, namespace, "answer", args)

                await self._emit(sid, namespace, "question", action.args, answered)
            case Flood():
                task = asyncio.create_task(self._flood(sid, namespace, action))
                # The event loop keeps only weak references to its tasks.
                self.floods.add(task)
                task.add_done_callback(self.floods.discard)
            case Kick():
                await self.sio.disconnect(sid, namespace=namespace)
            case KickHard():
                await self.sio.eio.disconnect(eio_sid)
            case Drop():
                await self._drop(sid, namespace, eio_sid)

    async def _drop(self, sid, namespace, eio_sid):
        engine = self.sio.eio.sockets.get(eio_sid)
        first = self.sio.get_environ(sid, namespace)["aiohttp.request"].transport
        for transport in [first, *self.connections.of(eio_sid)]:
            if transport is not None:
                transport.abort()
        if not engine.upgraded:
            # aiohttp tells nobody that the connection of a poll is gone.
            reason = self.sio.eio.reason.TRANSPORT_ERROR
            await engine.close(wait=False, abort=True, reason=reason)

    async def _emit(self, sid, namespace, name, args, callback=None):
        await self.sio.emit(name, tuple(args), to=sid, namespace=namespace, callback=callback)

    async def _flood(self, sid, namespace, action):
        eio_sid = self.sio.manager.eio_sid_from_sid(sid, namespace)
        engine = self.sio.eio.sockets.get(eio_sid)
        # All that waits is written in one turn, so that of large packets only a few may wait.
        few = max(4, min(protocol.WAITING_PACKETS, 50_000 // (action.largest + 1)))
        turn_ends = 0
        i = 0
        while i < action.n:
            if time.monotonic() > turn_ends:
                await self._room(engine, few)
                turn_ends = time.monotonic() + TURN_SECONDS
            if engine.closed or not self.sio.manager.is_connected(sid, namespace):
                return
            # `emit` makes a task for each packet and waits for it, which takes most of the time.
            data = [action.name, *action.args_of(i)]
            event = self.sio.packet_class(packet.EVENT, namespace=namespace, data=data)
            await self.sio._send_packet(eio_sid, event)
            i += 1
        await self._emit(sid, namespace, f"{action.name}_done", (action.n,))

    @staticmethod
    async def _room(engine, few):
        """Gives up the turn, until few packets wait."""
        await asyncio.sleep(0)
        while not engine.closed and (waiting := engine.queue.qsize()) > few:
            await asyncio.sleep(0)
            if engine.queue.qsize() >= waiting:
                # The client takes nothing; the loop must not turn for nothing.
                await asyncio.sleep(0.001)


async def main():
    given = protocol.options()
    host = Host(given)
    app = web.Application(middlewares=[host.on_request])
    host.sio.attach(app, socketio_path=given.path)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", given.port).start()
    protocol.listening(runner.addresses[0][1])
    await asyncio.Event().wait()


asyncio.run(main())
