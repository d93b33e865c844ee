"""From the arguments of python-socketio to the options of the library.

Owns what each argument means and which cannot be honoured. Refuses to know how options are set.
"""

from __future__ import annotations

import logging
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from . import _native

#: Options of the library, as text.
Options = Dict[str, str]

LONGEST = 86400.0  # a day, in seconds: the most that the library takes for a delay

default_logger = logging.getLogger("sio.client")


def _milliseconds(name: str, seconds: Any) -> str:
    if not isinstance(seconds, (int, float)) or not 0 <= seconds <= LONGEST:
        raise ValueError(f"{name} must be a number of seconds from 0 to {LONGEST:.0f}, not {seconds!r}")
    return str(max(1, round(seconds * 1000)))


def _switch(value: Any) -> str:
    return "1" if value else "0"


def client_options(
    *,
    reconnection: Any,
    reconnection_attempts: Any,
    reconnection_delay: Any,
    reconnection_delay_max: Any,
    randomization_factor: Any,
    serializer: Any,
    request_timeout: Any,
    http_session: Any,
    ssl_verify: Any,
    websocket_extra_options: Any,
    timestamp_requests: Any,
    options: Optional[Mapping[str, Any]],
) -> Options:
    """What the constructor's arguments ask of the library. ValueError for what it cannot do."""
    if serializer != "default":
        raise ValueError(
            f"serializer {serializer!r} cannot be honoured: sio speaks the default one, JSON with "
            "binary attachments"
        )
    if http_session is not None:
        raise ValueError(
            "http_session cannot be honoured: sio makes its HTTP requests itself. Use the headers "
            "of connect(), ssl_verify=False, and options= with tls_ca_file, tls_cert_file, "
            "tls_key_file or proxy"
        )
    if not timestamp_requests:
        raise ValueError(
            "timestamp_requests=False cannot be honoured: sio's polling requests always carry a "
            "changing t"
        )
    if not isinstance(ssl_verify, bool):
        raise ValueError(
            f"ssl_verify must be True or False, not {ssl_verify!r}; a file with certificates is "
            "given as options={'tls_ca_file': path}"
        )
    if not 0 <= randomization_factor <= 1:
        raise ValueError(f"randomization_factor must be from 0 to 1, not {randomization_factor!r}")
    if not isinstance(reconnection_attempts, int) or reconnection_attempts < 0:
        raise ValueError(
            f"reconnection_attempts must be 0, for no limit, or more, not {reconnection_attempts!r}"
        )
    for name in options or {}:
        if name in ("report_state", "report_attempts", "retry_connect"):
            raise ValueError(f"the option {name!r} is the package's own")
    return {
        "reconnection": _switch(reconnection),
        "reconnect_attempts": str(int(reconnection_attempts)),
        "reconnect_min_ms": _milliseconds("reconnection_delay", reconnection_delay),
        "reconnect_max_ms": _milliseconds("reconnection_delay_max", reconnection_delay_max),
        "reconnect_jitter": str(round(randomization_factor * 100)),
        "request_timeout_ms": _milliseconds("request_timeout", request_timeout),
        "tls_verify": _switch(ssl_verify),
        **_websocket_options(websocket_extra_options),
        **{name: _text(value) for name, value in (options or {}).items()},
    }


def _text(value: Any) -> str:
    return _switch(value) if isinstance(value, bool) else str(value)


def _websocket_options(given: Optional[Mapping[str, Any]]) -> Options:
    """The TLS settings among the arguments of ``websocket.create_connection()``; they then count for
    both transports. ValueError for all others."""
    found: Options = {}
    for name, value in (given or {}).items():
        if name != "sslopt":
            raise ValueError(
                f"websocket_extra_options[{name!r}] cannot be honoured: of these only 'sslopt' can"
            )
        for key, setting in (value or {}).items():
            if key == "cert_reqs":
                found["tls_verify"] = _switch(setting)
            elif key in ("ca_certs", "certfile", "keyfile"):
                if setting is not None:
                    found[_TLS_FILES[key]] = str(setting)
            else:
                raise ValueError(
                    f"websocket_extra_options['sslopt'][{key!r}] cannot be honoured: cert_reqs, "
                    "ca_certs, certfile and keyfile can"
                )
    return found


_TLS_FILES = {"ca_certs": "tls_ca_file", "certfile": "tls_cert_file", "keyfile": "tls_key_file"}


def transport_names(transports: Union[str, List[str], None]) -> str:
    """The option "transports". ValueError if none of those given exists."""
    if transports is None:
        return "polling,websocket"
    given = [transports] if isinstance(transports, str) else transports
    valid = [name for name in given if name in ("polling", "websocket")]
    if not valid:
        raise ValueError("No valid transports provided")
    return ",".join(dict.fromkeys(valid))


def attempt_timeout(wait_timeout: Any) -> int:
    """The option "attempt_timeout_ms": what connect() may take, so that none is cut short."""
    limit = _native.milliseconds(wait_timeout)
    longest = int(LONGEST * 1000)
    return longest if limit == _native.FOREVER else min(max(limit, 1), longest)


def chosen_logger(
    logger: Union[bool, Any], engineio_logger: Union[bool, Any, None]
) -> Any:
    """The logger that the arguments ask for, if any. The library writes one log, with the lines of
    both layers: it goes to `logger`, or to `engineio_logger` if only that is asked for."""
    for asked in (logger, engineio_logger):
        if asked is None or asked is False:
            continue
        if asked is not True:
            if not callable(getattr(asked, "log", None)):
                raise ValueError(f"a logger must be True, False or a logging.Logger, not {asked!r}")
            return asked
        if default_logger.level == logging.NOTSET:
            default_logger.setLevel(logging.INFO)
            default_logger.addHandler(logging.StreamHandler())
        return default_logger
    return None


def log_level(logger: Any) -> int:
    """The library's level for what the logger lets through."""
    effective = getattr(logger, "getEffectiveLevel", lambda: logging.INFO)()
    for level, limit in (
        (_native.LOG_DEBUG, logging.DEBUG),
        (_native.LOG_INFO, logging.INFO),
        (_native.LOG_WARN, logging.WARNING),
    ):
        if effective <= limit:
            return level
    return _native.LOG_ERROR


PYTHON_LEVELS = {
    _native.LOG_ERROR: logging.ERROR,
    _native.LOG_WARN: logging.WARNING,
    _native.LOG_INFO: logging.INFO,
    _native.LOG_DEBUG: logging.DEBUG,
}

#: What connect() is given: the value, or a function that returns it.
Given = Union[Any, Callable[[], Any]]


class Target:
    """Where connect() is to go: each of these a value or a function, asked for at every attempt."""

    __slots__ = ("url", "headers", "auth")

    def __init__(self, url: Given, headers: Given, auth: Given) -> None:
        self.url = url
        self.headers = headers
        self.auth = auth

    def has_functions(self) -> bool:
        return callable(self.url) or callable(self.headers) or callable(self.auth)


def checked_headers(headers: Any) -> List[Tuple[bytes, bytes]]:
    """Names and values; TypeError if they are no text."""
    pairs = []
    for name, value in dict(headers or {}).items():
        if isinstance(name, bytes):
            name = name.decode("latin-1")
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"a header's name and value must be text, not {name!r} and {value!r}")
        if "\0" in name or "\0" in value:
            raise ValueError(f"the header {name!r} contains a NUL")
        pairs.append((name.encode(), value.encode()))
    return pairs
