"""One client of the library, and what both kinds of client share.

Owns the pointer: it is freed when the owner is, by the garbage collector or at the interpreter's end.
Refuses to know how to wait.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import threading
import weakref
from ctypes import c_void_p
from typing import Any, Dict, List, Optional, Tuple

from . import _native, exceptions
from ._codec import Codec
from ._options import (
    PYTHON_LEVELS,
    Options,
    Target,
    attempt_timeout,
    checked_headers,
    default_logger,
    log_level,
)
from ._reader import Reader

_keys = itertools.count(1)
# The library's callbacks know their client by a number that is looked up here, and keep nothing
# alive. The two function objects below live as long as the module: none is ever freed while the
# library may be inside it.
_prepared: "weakref.WeakValueDictionary[int, Handle]" = weakref.WeakValueDictionary()
_loggers: Dict[int, Any] = {}
_handles: "weakref.WeakSet[Handle]" = weakref.WeakSet()


class Handle:
    """A pointer to a client, its codec, and its settings. Any thread may use it."""

    __slots__ = (
        "pointer",
        "reference",
        "codec",
        "namespace",
        "target",
        "skip",
        "_aim",
        "_asks_prepare",
        "_key",
        "_finalizer",
        "__weakref__",
    )

    def __init__(
        self,
        options: Options,
        codec: Codec,
        logger: Optional[logging.Logger],
        reader: Optional[Reader] = None,
    ) -> None:
        pointer = _native.client_new()
        if not pointer:
            raise MemoryError("sio_client_new() failed")
        self.pointer: int = pointer
        #: The same, as the hot functions take it.
        self.reference = c_void_p(pointer)
        self.codec = codec
        self.namespace = "/"
        self.target: Optional[Target] = None
        #: Whether the next attempt has been prepared already.
        self.skip = False
        # Guards the target: functions of an earlier connect() may still be running.
        self._aim = threading.Lock()
        self._asks_prepare = False
        self._key = next(_keys)
        self._finalizer = weakref.finalize(self, _free, pointer, self._key, reader)
        # At the interpreter's end other threads may still be using it, see _silence().
        self._finalizer.atexit = False
        _handles.add(self)
        for name, value in options.items():
            self.set(name, value)
        if logger is not None:
            _loggers[self._key] = logger
            self._check(_native.client_set_log(pointer, log_level(logger), _log_function, self._key))

    def set(self, option: str, value: Optional[str]) -> None:
        """Sets an option; ValueError if the library does not take it."""
        text = None if value is None else _text(f"the option {option}", value).encode()
        self._check(_native.client_set(self.pointer, option.encode(), text))

    def ask_prepare(self) -> None:
        """Has the library ask the target's functions before each attempt, on a thread of its own. It
        goes on with that: to take it back would be to wait for a function that is running."""
        if not self._asks_prepare:
            _prepared[self._key] = self
            self._check(_native.client_set_prepare(self.pointer, _prepare_function, self._key))
            self._asks_prepare = True

    def set_target(self, target: Target, values: Tuple[Any, Any, Any]) -> None:
        """Where the attempts from now on go, unless connect() was given another target meanwhile."""
        with self._aim:
            if self.target is target:
                self._set_values(*values)

    def set_first_target(self, target: Target, values: Tuple[Any, Any, Any]) -> None:
        """The same for connect() itself: what is wrong is a ConnectionError, as in python-socketio."""
        with self._aim:
            self.target, self.skip = target, True
            try:
                self._set_values(*values)
            except ValueError as error:
                raise _with_details(
                    exceptions.ConnectionError(str(error)), _native.INVALID, {}
                ) from error

    def _set_values(self, url: Any, headers: Any, auth: Any) -> None:
        pairs = checked_headers(headers)
        encoded = self.codec.auth(auth)
        pointer = self.pointer
        self._check(_native.client_set(pointer, b"url", _text("url", url).encode()))
        self._check(_native.client_set(pointer, b"auth", encoded))
        _native.client_set_header(pointer, None, None)
        for name, value in pairs:
            self._check(_native.client_set_header(pointer, name, value))

    def set_connection(self, namespace: Any, path: Any, transports: str, wait_timeout: Any) -> None:
        """The settings of connect() that stay the same at each attempt."""
        self.namespace = _text("namespace", namespace or "/")
        self.set("namespace", self.namespace)
        self.set("path", _text("socketio_path", path))
        self.set("transports", transports)
        self.set("attempt_timeout_ms", str(attempt_timeout(wait_timeout)))

    def state(self) -> int:
        return int(_native.client_state(self.pointer))

    def is_connected(self) -> bool:
        """True while there is a connection, or one is being made again."""
        state = self.state()
        return state == _native.STATE_CONNECTED or state == _native.STATE_RECONNECTING

    def is_busy(self) -> bool:
        """The same, or the first connection is being made."""
        return self.state() == _native.STATE_CONNECTING or self.is_connected()

    def sid(self) -> Optional[str]:
        return _native.copied(_native.client_sid, self.pointer) or None

    def transport(self) -> str:
        return str(_native.client_transport(self.pointer), "ascii")

    def _check(self, status: int) -> None:
        if status != _native.OK:
            raise self.error(status)

    def check_farewell(self, status: int, details: Dict[str, Any]) -> None:
        """Raises what disconnect ended with, unless it is disconnected all the same."""
        if status in (_native.TIMEOUT, _native.INTERRUPTED):
            logger_of(self).warning("disconnected; it is not known whether the server has everything")
        elif status not in (_native.OK, _native.DISCONNECTED):
            raise error_for(status, details)

    def error(self, status: int) -> Exception:
        """The exception for a status that an operation ended with."""
        return error_for(status, _native.error_details(self.pointer))

    def connect_error(self, status: int, details: Dict[str, Any]) -> Exception:
        """The exception for a status that connect ended with."""
        if status == _native.STATE:
            # Connecting on another thread, or after a fork.
            state = self.state()
            busy = state not in (_native.STATE_DISCONNECTED, _native.STATE)
            return RuntimeError("Already connected" if busy else _reason(status, details))
        text = _reason(status, details)
        if status == _native.REFUSED:
            # The words of python-socketio, and the server's behind them.
            said = details.get("message")
            text = f"One or more namespaces failed to connect: {self.namespace}"
            text += f": {said}" if said else ""
        return _with_details(exceptions.ConnectionError(text), status, details)


def error_for(status: int, details: Dict[str, Any]) -> Exception:
    """The exception for a status, with what is known of it."""
    reason = _reason(status, details)
    if status == _native.DISCONNECTED:
        return _with_details(exceptions.DisconnectedError(reason), status, details)
    if status in (_native.TIMEOUT, _native.FULL):
        return _with_details(exceptions.TimeoutError(reason), status, details)
    if status in (_native.INVALID, _native.TOO_LARGE, _native.UNSUPPORTED):
        return ValueError(reason)
    if status == _native.STATE:
        return RuntimeError(reason)
    return _with_details(exceptions.SocketIOError(reason), status, details)


def _with_details(error: exceptions.SocketIOError, status: int, details: Dict[str, Any]) -> Exception:
    error.status = status
    error.details = details
    return error


def _reason(status: int, details: Dict[str, Any]) -> str:
    # The text may be of another thread's failure; the status is this one's own.
    if details.get("status") == status and details.get("text"):
        return str(details["text"])
    return str(_native.status_text(status), "utf-8")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text, not {type(value).__name__}")
    if "\0" in value:
        raise ValueError(f"{name} must not contain a NUL")
    return value


def checked_event(event: Any) -> bytes:
    """An event's name for the library."""
    try:
        return _names[event]
    except (KeyError, TypeError):
        name = _text("an event's name", event).encode()
        if len(_names) < _NAMES_KEPT:
            _names[event] = name
        return name


# Programs use few names, and each of them often.
_NAMES_KEPT = 256
_names: Dict[str, bytes] = {}


# How long a client that is taking leave when it is freed, or when the interpreter ends, may go on with
# that, in milliseconds.
_LEAVING_MS = 500


def _leave(pointer: int) -> None:
    if _native.client_state(pointer) == _native.STATE_CLOSING:
        _native.client_disconnect(pointer, _LEAVING_MS)


def _free(pointer: int, key: int, reader: Optional[Reader]) -> None:
    def free() -> None:
        _leave(pointer)
        _native.client_free(pointer)
        _loggers.pop(key, None)

    if reader is None:
        free()
    else:
        reader.stop_and(free)


@atexit.register
def _silence() -> None:
    """Makes sure that no thread of the library calls Python any more. The clients themselves end with
    the process: a daemon thread may be about to use one."""
    for handle in list(_handles):
        _leave(handle.pointer)
        _native.client_set_prepare(handle.pointer, _native.PREPARE_FN(), None)
        _native.client_set_log(handle.pointer, _native.LOG_ERROR, _native.LOG_FN(), None)


def _prepare(key: Optional[int], _client: Optional[int]) -> int:
    handle = _prepared.get(key or 0)
    target = handle.target if handle is not None else None
    if handle is None or target is None or not target.has_functions():
        return 0
    if handle.skip:
        handle.skip = False
        return 0
    try:
        handle.set_target(target, values_of(target))
    except Exception:
        logger_of(handle).exception("no attempt to connect: a function given to connect() failed")
        return -1
    return 0


def _log(key: Optional[int], level: int, line: Optional[bytes]) -> None:
    logger = _loggers.get(key or 0)
    if logger is not None:
        logger.log(
            PYTHON_LEVELS.get(level, logging.ERROR), "%s", (line or b"").decode("utf-8", "replace")
        )


_prepare_function = _native.PREPARE_FN(_prepare)
_log_function = _native.LOG_FN(_log)


def logger_of(handle: Handle) -> Any:
    """Where to say what cannot be raised."""
    return _loggers.get(handle._key) or default_logger


def values_of(target: Target) -> Tuple[Any, Any, Any]:
    """What the target is now; functions of it are called here."""
    url, headers, auth = target.url, target.headers, target.auth
    url = url() if callable(url) else url
    headers = headers() if callable(headers) else headers
    try:
        return url, headers, auth() if callable(auth) else auth
    except Exception as error:
        # As in python-socketio, where it is asked for within the connection.
        raise exceptions.ConnectionError(f"Connect handler failed: {error}") from error
