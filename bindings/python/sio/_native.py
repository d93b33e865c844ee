"""The C library: finds it, loads it, and declares its functions.

Owns the prototypes and the constants of ``sio.h``. Refuses to know what they are used for.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any, Dict

OK = 0
TIMEOUT = -1
INTERRUPTED = -2
DISCONNECTED = -3
INVALID = -4
STATE = -5
REFUSED = -8
TOO_LARGE = -10
UNSUPPORTED = -12
FULL = -14

FOREVER = -1
# The longest limit that fits into an int; above it there is none.
LONGEST_MS = 2**31 - 1

STATE_DISCONNECTED = 0
STATE_CONNECTING = 1
STATE_CONNECTED = 2
STATE_RECONNECTING = 3
STATE_CLOSING = 4

MESSAGE_EVENT = 0
MESSAGE_ATTEMPT = 4

LOG_ERROR = 1
LOG_WARN = 2
LOG_INFO = 3
LOG_DEBUG = 4

#: The oldest library that has all that is used here.
NEEDED_VERSION = (0, 1, 0)

LIBRARY_NAME = "libsio.0.dylib" if sys.platform == "darwin" else "libsio.so.0"


class Buffer(ctypes.Structure):
    """``sio_buffer``. A bytes object that is put into ``data`` stays alive with the structure, and is
    not copied."""

    _fields_ = [("data", c_char_p), ("len", c_size_t)]


PREPARE_FN = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)
LOG_FN = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p)


def library_path() -> str:
    """What is loaded: ``SIO_LIBRARY`` of the environment, else the library in this package, else the
    one that the system's loader finds."""
    named = os.environ.get("SIO_LIBRARY")
    if named:
        return named
    bundled = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_lib", LIBRARY_NAME)
    return bundled if os.path.exists(bundled) else LIBRARY_NAME


def _load() -> ctypes.CDLL:
    path = library_path()
    try:
        return ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(
            f"the library of sio cannot be loaded: {error}. It is looked for at the path in the "
            f"environment variable SIO_LIBRARY, then inside the package, then as {LIBRARY_NAME} "
            f"where the system's loader looks"
        ) from error


_library = _load()
# The same library, called without giving up the interpreter: for functions that only look at memory.
_held = ctypes.PyDLL(_library._name, handle=_library._handle)


def _declare(name: str, result: Any, *arguments: Any, library: Any = _library) -> Any:
    try:
        # Unlike as an attribute, each time a function object of its own.
        function = library[name]
    except AttributeError:
        raise ImportError(
            f"the library {_library._name} is too old for this package: it has no {name}"
        ) from None
    function.restype = result
    function.argtypes = arguments
    return function


def _declare_hot(name: str, result: Any, library: Any = _library) -> Any:
    """A function that is called for every message. Without declared arguments it is called twice as
    fast, but what it is given must be of the C type already: c_void_p, c_size_t and c_uint64 objects,
    bytes, None, and Python's int only where C's int is meant."""
    function = _declare(name, result, library=library)
    function.argtypes = None
    return function


_args = (c_char_p, c_char_p, c_void_p, c_size_t, c_int)
_out = POINTER(c_void_p)

version = _declare("sio_version", c_char_p)
version_number = _declare("sio_version_number", c_uint32)
status_name = _declare("sio_status_name", c_char_p, c_int)
status_text = _declare("sio_status_text", c_char_p, c_int)

client_new = _declare("sio_client_new", c_void_p)
client_free = _declare("sio_client_free", None, c_void_p)
client_set = _declare("sio_client_set", c_int, c_void_p, c_char_p, c_char_p)
client_set_int = _declare("sio_client_set_int", c_int, c_void_p, c_char_p, c_int64)
client_set_header = _declare("sio_client_set_header", c_int, c_void_p, c_char_p, c_char_p)
client_set_prepare = _declare("sio_client_set_prepare", c_int, c_void_p, PREPARE_FN, c_void_p)
client_set_log = _declare("sio_client_set_log", c_int, c_void_p, c_int, LOG_FN, c_void_p)
client_state = _declare("sio_client_state", c_int, c_void_p)
client_transport = _declare("sio_client_transport", c_char_p, c_void_p)
client_sid = _declare("sio_client_sid", c_size_t, c_void_p, c_char_p, c_size_t)
client_error = _declare("sio_client_error", c_size_t, c_void_p, c_char_p, c_size_t)
client_error_json = _declare("sio_client_error_json", c_size_t, c_void_p, c_char_p, c_size_t)

client_connect = _declare("sio_client_connect", c_int, c_void_p, c_char_p, c_int)
client_emit = _declare("sio_client_emit", c_int, c_void_p, *_args)
client_call = _declare("sio_client_call", c_int, c_void_p, *_args, _out)
client_receive = _declare("sio_client_receive", c_int, c_void_p, c_int, _out)
receive_now = _declare_hot("sio_client_receive", c_int)
emit_now = _declare_hot("sio_client_emit", c_int)
result_now = _declare_hot("sio_client_result", c_int)
client_disconnect = _declare("sio_client_disconnect", c_int, c_void_p, c_int)

client_fd = _declare("sio_client_fd", c_int, c_void_p)
client_connect_start = _declare(
    "sio_client_connect_start", c_int, c_void_p, c_char_p, c_int, c_uint64
)
client_emit_start = _declare("sio_client_emit_start", c_int, c_void_p, *_args, c_uint64)
client_call_start = _declare("sio_client_call_start", c_int, c_void_p, *_args, c_uint64)
client_disconnect_start = _declare(
    "sio_client_disconnect_start", c_int, c_void_p, c_int, c_uint64
)
client_cancel = _declare("sio_client_cancel", c_int, c_void_p, c_uint64)

_size = POINTER(c_size_t)
message_kind = _declare_hot("sio_message_kind", c_int, _held)
message_event = _declare_hot("sio_message_event", c_char_p, _held)
# The same functions, where not a copy up to the first NUL is wanted.
message_event_address = _declare("sio_message_event", c_void_p, c_void_p, _size, library=_held)
message_args_address = _declare("sio_message_args", c_void_p, c_void_p, _size, library=_held)
message_args = _declare_hot("sio_message_args", c_char_p, _held)
message_buffer_count = _declare(
    "sio_message_buffer_count", c_size_t, c_void_p, library=_held
)
message_buffer = _declare("sio_message_buffer", c_void_p, c_void_p, c_size_t, _size, library=_held)
# Answers an event that nobody answered, and may write to the log then: never with the interpreter
# held, for which the log may be waiting.
message_free = _declare_hot("sio_message_free", None)


def number_of(parts: Any) -> int:
    """A version as ``sio_version_number()`` gives it."""
    major, minor, patch = parts
    return int(major) << 16 | int(minor) << 8 | int(patch)


if version_number() < number_of(NEEDED_VERSION):
    raise ImportError(
        f"the library {_library._name} is too old for this package: its version is "
        f"{version().decode()}, needed is {'.'.join(map(str, NEEDED_VERSION))}"
    )


def copied(function: Any, client: int) -> str:
    """The whole text that a function such as ``sio_client_sid()`` copies out."""
    size = 256
    while True:
        buffer = ctypes.create_string_buffer(size)
        length = function(client, buffer, size)
        if length < size:
            return buffer.raw[:length].decode("utf-8", "replace")
        size = length + 1


def error_details(client: int) -> Dict[str, Any]:
    """What the library knows of the client's last failure."""
    try:
        details = json.loads(copied(client_error_json, client) or "{}")
    except ValueError:
        return {}
    return details if isinstance(details, dict) else {}


def milliseconds(seconds: Any) -> int:
    """A limit in seconds, None for none, as the library takes it: rounded up, so that no limit but 0
    becomes one that does not wait."""
    if seconds is None:
        return FOREVER
    if seconds != seconds:
        raise ValueError("a timeout is a number of seconds or None, not NaN")
    if seconds <= 0:
        return 0
    if seconds * 1000 > LONGEST_MS:
        return FOREVER
    whole = int(seconds * 1000)
    return whole if whole == seconds * 1000 else whole + 1
