"""What the blocking client and the one for asyncio have in common."""

from __future__ import annotations

from typing import Any, Mapping, Optional

from ._codec import Codec
from ._handle import Handle
from ._options import chosen_logger, client_options

#: How long disconnect() may take to send what was emitted and to take leave, in milliseconds.
DISCONNECT_MS = 30_000


class Client:
    """The arguments of both, and what they tell of themselves."""

    def __init__(
        self,
        reconnection: bool = True,
        reconnection_attempts: int = 0,
        reconnection_delay: float = 1,
        reconnection_delay_max: float = 5,
        randomization_factor: float = 0.5,
        logger: Any = False,
        serializer: Any = "default",
        json: Any = None,
        handle_sigint: bool = True,
        *,
        engineio_logger: Any = None,
        request_timeout: float = 5,
        http_session: Any = None,
        ssl_verify: bool = True,
        websocket_extra_options: Optional[Mapping[str, Any]] = None,
        timestamp_requests: bool = True,
        options: Optional[Mapping[str, Any]] = None,
    ) -> None:
        native_options = client_options(
            reconnection=reconnection,
            reconnection_attempts=reconnection_attempts,
            reconnection_delay=reconnection_delay,
            reconnection_delay_max=reconnection_delay_max,
            randomization_factor=randomization_factor,
            serializer=serializer,
            request_timeout=request_timeout,
            http_session=http_session,
            ssl_verify=ssl_verify,
            websocket_extra_options=websocket_extra_options,
            timestamp_requests=timestamp_requests,
            options=options,
        )
        self._codec = Codec(json)
        self._handle = self._begin(
            native_options, chosen_logger(logger, engineio_logger), handle_sigint
        )
        self._pointer = self._handle.pointer
        self._reference = self._handle.reference

    def _begin(self, native_options: Any, logger: Any, handle_sigint: bool) -> Handle:
        """Makes the native client and what waits for it."""
        raise NotImplementedError

    @property
    def namespace(self) -> str:
        """The namespace that connect() was given."""
        return self._handle.namespace

    @property
    def connected(self) -> bool:
        """Whether there is a connection, or a lost one is being made again."""
        return self._handle.is_connected()

    @property
    def sid(self) -> Optional[str]:
        """The session id that the server gave, None without a connection. It changes with every
        reconnection."""
        return self._handle.sid()

    @property
    def transport(self) -> str:
        """The transport in use, ``"polling"`` or ``"websocket"``; empty without a connection. The
        upgrade from one to the other goes on in the background after connect()."""
        return self._handle.transport()
