"""The exceptions of the package: those of python-socketio, with the same names and bases.

``ConnectionError`` and ``DisconnectedError`` also carry ``status``, the library's number for what
happened (a ``SIO_E_...`` of ``sio.h``, negative; None if it is not known), and ``details``, a dict
with what the library knows of it: always "status", "name" and "text", and where they are known
"phase", "attempt", "sent", "http_status", "http_body", "close_code", "os_error", and what the server
said when it refused, "message" and "data".
"""

from __future__ import annotations

from typing import Any, Dict, Optional

__all__ = [
    "SocketIOError",
    "ConnectionError",
    "ConnectionRefusedError",
    "TimeoutError",
    "BadNamespaceError",
    "DisconnectedError",
]


class SocketIOError(Exception):
    """The base of all of them."""

    status: Optional[int] = None
    details: Dict[str, Any] = {}


class ConnectionError(SocketIOError):
    """No connection could be made. The text says why, and what the server said."""


class ConnectionRefusedError(ConnectionError):
    """Raised in servers of python-socketio; here for programs that name it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.error_args: Dict[str, Any] = {
            "message": str(args[0]) if args else "Connection rejected by server"
        }
        if len(args) == 2:
            self.error_args["data"] = args[1]
        elif len(args) > 2:
            self.error_args["data"] = args[1:]


class TimeoutError(SocketIOError):
    """The time allowed ran out."""


class BadNamespaceError(SocketIOError):
    """Never raised: a client has one namespace. Here for programs that name it."""


class DisconnectedError(SocketIOError):
    """There is no connection, or it was lost before the answer came."""
