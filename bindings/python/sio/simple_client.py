"""The blocking client."""

from __future__ import annotations

from ctypes import byref, c_void_p
from types import TracebackType
from typing import Any, Callable, List, Mapping, Optional, Type, Union

from . import _native, exceptions
from ._client import DISCONNECT_MS as _DISCONNECT_MS
from ._client import Client
from ._handle import Handle, checked_event, error_for, values_of
from ._options import Target, transport_names
from ._sigint import look_after
from ._waiting import Outcome, Waiting

_OK = _native.OK
_emit = _native.emit_now


class SimpleClient(Client):
    """A Socket.IO client whose methods wait.

    Any thread may call any method at any time: one can receive while others emit and call. Each method
    that waits ends with KeyboardInterrupt at Ctrl-C, or with what a signal handler of the program
    raises, if it was called in the main thread. The client goes on as if nothing had been; but with
    `handle_sigint`, which is the default, Ctrl-C makes it take leave, and connect() begins anew.

    :param reconnection: whether a lost connection is made again.
    :param reconnection_attempts: how often that is tried before the client gives up; 0 for no limit.
    :param reconnection_delay: seconds before the first of these attempts, 0 to 86400; the delay
        doubles with each.
    :param reconnection_delay_max: the longest delay, in seconds, 0 to 86400.
    :param randomization_factor: by which fraction each delay is scattered, 0 to 1.
    :param logger: True for a log on stderr, or a ``logging.Logger``. The library's lines come on its
        own threads; credentials are never in them. Its level when the client is made counts.
    :param serializer: only ``"default"``.
    :param json: a module with ``dumps`` and ``loads`` like those of the standard library's ``json``,
        for this client.
    :param handle_sigint: whether Ctrl-C makes the client take leave of the server. Only what is set
        up in the main thread counts.
    :param engineio_logger: as ``logger``, which goes before it: there is one log.
    :param request_timeout: seconds for each HTTP request but the long poll, 0 to 86400.
    :param http_session: only None.
    :param ssl_verify: False takes any certificate.
    :param websocket_extra_options: only ``{"sslopt": {...}}`` with cert_reqs, ca_certs, certfile and
        keyfile, which count for both transports.
    :param timestamp_requests: only True.
    :param options: further options of the library by their names in ``sio.h``, such as
        ``{"tls_ca_file": "ca.pem", "offline": "buffer"}``.

    ValueError for what cannot be honoured.
    """

    def _begin(self, native_options: Any, logger: Any, handle_sigint: bool) -> Handle:
        handle = Handle(native_options, self._codec, logger)
        self._waiting = Waiting(handle)
        if handle_sigint:
            look_after(handle)
        return handle

    def connect(
        self,
        url: Union[str, Callable[[], str]],
        headers: Union[Mapping[str, str], Callable[[], Mapping[str, str]]] = {},
        auth: Union[Any, Callable[[], Any]] = None,
        transports: Union[str, List[str], None] = None,
        namespace: str = "/",
        socketio_path: str = "socket.io",
        wait_timeout: Optional[float] = 5,
    ) -> None:
        """Connects to a namespace of a server.

        Events of an earlier connection that nobody has received are dropped.

        :param url: ``http://``, ``https://``, ``ws://`` or ``wss://``, host and port, and a query
            if the server wants one; or a function that returns it.
        :param headers: HTTP headers for every request; or a function that returns them.
        :param auth: authentication data for the namespace, a dict; or a function that returns it.
        :param transports: ``"polling"``, ``"websocket"``, or a list of them; polling with an upgrade
            to websocket if not given.
        :param namespace: the namespace.
        :param socketio_path: where on the server Socket.IO is.
        :param wait_timeout: seconds for all of it, None for no limit.

        Functions are called anew for every attempt: here for the first, on a thread of the library
        for each reconnection; one that raises there makes the attempt fail.

        ConnectionError says why there is no connection, and what the server said. RuntimeError if
        there is one already, ValueError and TypeError for arguments that cannot be.
        """
        handle = self._handle
        if handle.is_busy():
            raise RuntimeError("Already connected")
        transport_list = transport_names(transports)
        target = Target(url, headers, auth)
        values = values_of(target)
        if handle.state() == _native.STATE_CLOSING:
            self.disconnect()
        self._waiting.clear()
        handle.set_connection(namespace, socketio_path, transport_list, wait_timeout)
        handle.set_first_target(target, values)
        if target.has_functions():
            handle.ask_prepare()
        limit = _native.milliseconds(wait_timeout)
        if self._waiting.is_within():
            status = _native.client_connect(self._pointer, None, limit)
            details = _native.error_details(self._pointer)
        else:
            status, _, details = self._waiting.operate(_native.client_connect_start, None, limit)
        if status != _OK:
            raise handle.connect_error(status, details)

    def emit(self, event: str, data: Any = None) -> None:
        """Sends an event, without waiting for the server to have it: see call() for that.

        :param event: the event's name.
        :param data: a str, bytes, list, dict, number, bool; a tuple for several arguments, None for
            none. Bytes, bytearray and memoryview may stand anywhere in it.

        Waits while the connection is being made again, and while the send queue is full.
        DisconnectedError if there is none; ValueError and TypeError for data that cannot be sent,
        such as NaN, and ValueError for what is over the server's limit.
        """
        name = checked_event(event)
        args, buffers, count = self._codec.encode(data)
        status = _emit(self._reference, name, args, buffers, count, 0)
        if status != _OK:
            self._emit_later(status, name, args, buffers, count)

    def _emit_later(self, status: int, *arguments: Any) -> None:
        if status == _native.TIMEOUT and not self._waiting.is_within():
            status, _, details = self._waiting.operate(
                _native.client_emit_start, *arguments, _native.FOREVER
            )
        else:
            if status == _native.TIMEOUT:
                status = _native.client_emit(self._pointer, *arguments, _native.FOREVER)
            details = _native.error_details(self._pointer)
        if status != _OK:
            raise error_for(status, details)

    def call(self, event: str, data: Any = None, timeout: Optional[float] = 60) -> Any:
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
        limit = _native.milliseconds(timeout)
        if self._waiting.is_within():
            outcome = self._call_within(name, args, buffers, count, limit)
        else:
            outcome = self._waiting.operate(
                _native.client_call_start, name, args, buffers, count, limit
            )
        status, reply, details = outcome
        if status != _OK:
            raise error_for(status, details)
        return self._codec.take_reply(reply)

    def _call_within(self, *arguments: Any) -> Outcome:
        out = c_void_p()
        status = _native.client_call(self._pointer, *arguments, byref(out))
        details = {} if status == _OK else _native.error_details(self._pointer)
        return status, out, details

    def receive(self, timeout: Optional[float] = None) -> List[Any]:
        """Waits for an event from the server.

        :param timeout: seconds, None for no limit.

        Returns a list: the event's name, then its arguments. TimeoutError if none came in time.
        DisconnectedError once the connection has ended for good and all that came before has been
        received; while it is being made again the wait goes on.
        """
        message = self._waiting.receive(_native.milliseconds(timeout))
        if not message:
            raise exceptions.TimeoutError("no event came in time")
        return self._codec.take_event(message)

    def disconnect(self) -> None:
        """Sends what was emitted, takes leave of the server and closes the connection, within 30
        seconds. Without a connection it does nothing. What has arrived can still be received.

        If it is not known whether the server has everything, this is logged as a warning."""
        if self._waiting.is_within():
            status = _native.client_disconnect(self._pointer, _DISCONNECT_MS)
            details = _native.error_details(self._pointer)
        else:
            status, _, details = self._waiting.operate(
                _native.client_disconnect_start, _DISCONNECT_MS
            )
        self._handle.check_farewell(status, details)

    def __enter__(self) -> "SimpleClient":
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc_val: Optional[BaseException],
        exc_tb: Optional[TracebackType],
    ) -> None:
        self.disconnect()
