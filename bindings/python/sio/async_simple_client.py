"""The client for asyncio."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Awaitable, Callable, List, Mapping, Optional, Type, Union

from . import _native, exceptions
from ._async_waiting import AsyncWaiting, value_of
from ._client import DISCONNECT_MS as _DISCONNECT_MS
from ._client import Client
from ._handle import Handle, checked_event, error_for
from ._options import Target, transport_names

_OK = _native.OK
_emit = _native.emit_now


class AsyncSimpleClient(Client):
    """A Socket.IO client for asyncio. It uses no thread of Python's.

    Its coroutines belong to the event loop that runs while they are called, and may be awaited by
    several tasks at once. Each can be cancelled: a cancelled receive() leaves the event for the next
    one, a cancelled emit() that still waited has not sent, a cancelled call() drops the answer. The
    client can be made before there is a loop, and used in one loop after another, in one at a time.

    The parameters are those of SimpleClient. `handle_sigint` changes nothing here: asyncio.run()
    cancels the main task at Ctrl-C, and ``async with`` then takes leave of the server.
    """

    def _begin(self, native_options: Any, logger: Any, handle_sigint: bool) -> Handle:
        self._waiting = AsyncWaiting(native_options, self._codec, logger)
        self._connecting = False
        return self._waiting.handle

    async def connect(
        self,
        url: Union[str, Callable[[], Union[str, Awaitable[str]]]],
        headers: Union[
            Mapping[str, str], Callable[[], Union[Mapping[str, str], Awaitable[Mapping[str, str]]]]
        ] = {},
        auth: Union[Any, Callable[[], Any]] = None,
        transports: Union[str, List[str], None] = None,
        namespace: str = "/",
        socketio_path: str = "socket.io",
        wait_timeout: Optional[float] = 5,
    ) -> None:
        """Connects to a namespace of a server.

        Events of an earlier connection that nobody has received are dropped.

        :param url: ``http://``, ``https://``, ``ws://`` or ``wss://``, host and port, and a query
            if the server wants one; or a function or coroutine function that returns it.
        :param headers: HTTP headers for every request; or a function or coroutine function.
        :param auth: authentication data for the namespace, a dict; or a function or coroutine
            function.
        :param transports: ``"polling"``, ``"websocket"``, or a list of them; polling with an upgrade
            to websocket if not given.
        :param namespace: the namespace.
        :param socketio_path: where on the server Socket.IO is.
        :param wait_timeout: seconds for all of it, None for no limit.

        Functions are called anew for every attempt, here for the first and in the event loop for
        each reconnection. If one raises at a reconnection this is logged, and the attempt goes to
        where the last one went.

        ConnectionError says why there is no connection, and what the server said. RuntimeError if
        there is one already, ValueError and TypeError for arguments that cannot be.
        """
        handle = self._handle
        if self._connecting or handle.is_busy():
            raise RuntimeError("Already connected")
        self._connecting = True
        try:
            await self._connect(
                url, headers, auth, transports, namespace, socketio_path, wait_timeout
            )
        finally:
            self._connecting = False

    async def _connect(
        self,
        url: Any,
        headers: Any,
        auth: Any,
        transports: Any,
        namespace: Any,
        socketio_path: Any,
        wait_timeout: Any,
    ) -> None:
        transport_list = transport_names(transports)
        target = Target(url, headers, auth)
        values = [await value_of(url), await value_of(headers)]
        try:
            values.append(await value_of(auth))
        except Exception as error:
            # As in python-socketio, where it is asked for within the connection.
            raise exceptions.ConnectionError(f"Connect handler failed: {error}") from error
        handle = self._handle
        if handle.state() == _native.STATE_CLOSING:
            await self.disconnect()
        await self._waiting.prepare_connect()
        handle.set_connection(namespace, socketio_path, transport_list, wait_timeout)
        handle.set_first_target(target, (values[0], values[1], values[2]))
        self._waiting.ask_attempts(target.has_functions())
        status, _, details = await self._waiting.operate(
            _native.client_connect_start, None, _native.milliseconds(wait_timeout)
        )
        if status != _OK:
            raise handle.connect_error(status, details)

    async def emit(self, event: str, data: Any = None) -> None:
        """Sends an event, without waiting for the server to have it: see call() for that.

        :param event: the event's name.
        :param data: a str, bytes, list, dict, number, bool; a tuple for several arguments, None for
            none. Bytes, bytearray and memoryview may stand anywhere in it.

        Waits while the connection is being made again, and while the send queue is full.
        DisconnectedError if there is none; ValueError and TypeError for data that cannot be sent,
        such as NaN, and ValueError for what is over the server's limit.
        """
        waiting = self._waiting
        waiting.turns = turns = waiting.turns + 1
        if not turns & 63:
            await waiting.give_way()
        name = checked_event(event)
        args, buffers, count = self._codec.encode(data)
        status = _emit(self._reference, name, args, buffers, count, 0)
        if status == _native.TIMEOUT:
            status, _, details = await waiting.operate(
                _native.client_emit_start, name, args, buffers, count, _native.FOREVER
            )
            if status != _OK:
                raise error_for(status, details)
        elif status != _OK:
            raise self._handle.error(status)

    async def call(self, event: str, data: Any = None, timeout: Optional[float] = 60) -> Any:
        """Sends an event and waits for the server's answer.

        :param event: the event's name.
        :param data: as for emit().
        :param timeout: seconds for all of it, None for no limit.

        Returns the value that the server answered with, None if there was none, a tuple if there
        were several. TimeoutError if no answer came in time. DisconnectedError if there is no
        connection, and at once if it is lost: the event is never sent twice, and
        ``details["sent"]`` tells whether it had gone out. ValueError and TypeError as for emit().
        """
        name = checked_event(event)
        args, buffers, count = self._codec.encode(data)
        status, reply, details = await self._waiting.operate(
            _native.client_call_start, name, args, buffers, count, _native.milliseconds(timeout)
        )
        if status != _OK:
            raise error_for(status, details)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def receive(self, timeout: Optional[float] = None) -> List[Any]:
        """Waits for an event from the server.

        :param timeout: seconds, None for no limit.

        Returns a list: the event's name, then its arguments. TimeoutError if none came in time.
        DisconnectedError once the connection has ended for good and all that came before has been
        received; while it is being made again the wait goes on.
        """
        waiting = self._waiting
        waiting.turns = turns = waiting.turns + 1
        if not turns & 63:
            await waiting.give_way()
        message = waiting.take_event() or await waiting.receive(timeout)
        if not message:
            raise exceptions.TimeoutError("no event came in time")
        return self._codec.take_event(message)

    async def disconnect(self) -> None:
        """Sends what was emitted, takes leave of the server and closes the connection, within 30
        seconds. Without a connection it does nothing. What has arrived can still be received.

        If it is not known whether the server has everything, this is logged as a warning."""
        status, _, details = await self._waiting.operate(
            _native.client_disconnect_start, _DISCONNECT_MS
        )
        self._handle.check_farewell(status, details)

    async def __aenter__(self) -> "AsyncSimpleClient":
        return self

    async def __aexit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc_val: Optional[BaseException],
        exc_tb: Optional[TracebackType],
    ) -> None:
        await self.disconnect()
