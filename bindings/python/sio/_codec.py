"""Between Python's values and what the library takes and gives: JSON text and byte buffers.

Owns the rules of python-socketio for arguments: a tuple is several, None is none, anything else is
one. Refuses to know what they are sent for.
"""

from __future__ import annotations

import json as standard_json
import json.encoder
from ctypes import byref, c_size_t, c_void_p, string_at
from typing import Any, Callable, List, Optional, Tuple

from . import _native

#: Arguments as the library takes them: the text, the array of buffers, and how many these are.
Encoded = Tuple[Optional[bytes], Any, c_size_t]

_NO_BUFFERS = c_size_t(0)
NOTHING: Encoded = (None, None, _NO_BUFFERS)

_quote = json.encoder.encode_basestring
# Missing where the standard library has no C code.
_make_encoder: Any = getattr(json.encoder, "c_make_encoder", None)
# Unlike decode() it looks for no white space around, of which there is none.
_scan: Any = getattr(standard_json.JSONDecoder(), "scan_once")

_event = _native.message_event
_args = _native.message_args
_free = _native.message_free


def _refuse(value: Any) -> Any:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


class _Found:
    """The byte buffers of one message, in the order in which the encoder came upon them."""

    __slots__ = ("buffers",)

    def __init__(self) -> None:
        self.buffers: List[bytes] = []

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, _BYTES):
            return _refuse(value)
        # A bytes object is not copied by this.
        self.buffers.append(bytes(value))
        return {"_placeholder": True, "num": len(self.buffers) - 1}


class _HasBytes(Exception):
    """The values contain byte buffers, and have to be encoded otherwise."""


def _plain(value: Any) -> Any:
    if isinstance(value, _BYTES):
        raise _HasBytes
    return _refuse(value)


_BYTES = (bytes, bytearray, memoryview)


def _encoder(default: Callable[[Any], Any]) -> Callable[[Any, int], Any]:
    """What makes compact JSON text, in pieces. JSONEncoder.encode() makes one anew each time."""
    if _make_encoder is None:
        encoder = standard_json.JSONEncoder(
            default=default, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return lambda values, _: encoder.encode(values)
    made: Callable[[Any, int], Any] = _make_encoder(
        None, default, _quote, None, ":", ",", False, False, False
    )
    return made


_encode_plain = _encoder(_plain)


def _array(buffers: List[bytes]) -> Any:
    array = (_native.Buffer * len(buffers))()
    for place, buffer in zip(array, buffers):
        place.data = buffer
        place.len = len(buffer)
    return array


class Codec:
    """Encodes and decodes with the standard library's JSON, or a module like it."""

    def __init__(self, json: Any = None) -> None:
        if json is not None and not (
            callable(getattr(json, "dumps", None)) and callable(getattr(json, "loads", None))
        ):
            raise ValueError("json must be a module with the functions dumps and loads")
        self._json: Any = None if json is standard_json else json

    def encode(self, data: Any) -> Encoded:
        """The arguments of an event. TypeError or ValueError if they are not for JSON."""
        if data is None:
            return NOTHING
        values: Any = data if isinstance(data, tuple) else (data,)
        if not values:
            return NOTHING
        if self._json is not None:
            return self._encode_otherwise(values)
        if bytes in map(type, values):
            return self._encode_with_buffers(values)
        try:
            return "".join(_encode_plain(values, 0)).encode(), None, _NO_BUFFERS
        except _HasBytes:
            return self._encode_with_buffers(values)
        except UnicodeEncodeError:
            return self._encode_escaped(values)

    def _encode_with_buffers(self, values: Any) -> Encoded:
        found = _Found()
        try:
            text = "".join(_encoder(found)(values, 0)).encode()
        except UnicodeEncodeError:
            return self._encode_escaped(values)
        return text, _array(found.buffers), c_size_t(len(found.buffers))

    def _encode_escaped(self, values: Any) -> Encoded:
        """A lone surrogate can only be sent as an escape."""
        found = _Found()
        text = standard_json.dumps(values, default=found, separators=(",", ":"), allow_nan=False)
        if found.buffers:
            return text.encode(), _array(found.buffers), c_size_t(len(found.buffers))
        return text.encode(), None, _NO_BUFFERS

    def _encode_otherwise(self, values: Any) -> Encoded:
        buffers: List[bytes] = []
        plain = [_without_bytes(value, buffers) for value in values]
        text = self._json.dumps(plain, separators=(",", ":"))
        encoded = text if isinstance(text, bytes) else text.encode()
        return encoded, _array(buffers) if buffers else None, c_size_t(len(buffers))

    def auth(self, data: Any) -> Optional[bytes]:
        """Auth data as JSON; None for none."""
        if not data:
            return None
        if self._json is not None:
            text = self._json.dumps(data, separators=(",", ":"))
            return text if isinstance(text, bytes) else text.encode()
        return standard_json.dumps(data, separators=(",", ":"), allow_nan=False).encode()

    def arguments(self, message: c_void_p) -> Any:
        """The arguments of a message."""
        raw = _args(message, None)
        # The library writes the same for each buffer that came, unless a server used escapes.
        if (b"_placeholder" in raw or b"\\u" in raw) and (
            count := _native.message_buffer_count(message)
        ):
            return self._with_buffers(raw.decode(), _buffers(message, count))
        if self._json is None:
            return _scan(raw.decode(), 0)[0]
        return self._json.loads(raw.decode())

    def take_event(self, message: c_void_p) -> List[Any]:
        """An event as a list, its name first. Frees the message."""
        try:
            length = c_size_t()
            name = _event(message, byref(length))
            if len(name) != length.value:
                name = _whole_name(message)
            return [name.decode(), *self.arguments(message)]
        finally:
            _free(message)

    def take_reply(self, message: c_void_p) -> Any:
        """The answer to a call: None, the one value, or a tuple of several. Frees the message."""
        try:
            values = self.arguments(message)
        finally:
            _free(message)
        if len(values) == 1:
            return values[0]
        return tuple(values) if values else None

    def weight(self, message: c_void_p) -> int:
        """About how many bytes a message holds."""
        length = c_size_t()
        _native.message_args_address(message, byref(length))
        total = 128 + length.value
        for index in range(_native.message_buffer_count(message)):
            _native.message_buffer(message, index, byref(length))
            total += length.value
        return total

    def _with_buffers(self, text: str, buffers: List[bytes]) -> Any:
        def filled(value: Any) -> Any:
            if value.get("_placeholder") is True:
                return buffers[value["num"]]
            return value

        if self._json is None:
            return standard_json.JSONDecoder(object_hook=filled).decode(text)
        return _with_bytes(self._json.loads(text), filled)


def _whole_name(message: c_void_p) -> bytes:
    """A name that contains a NUL."""
    length = c_size_t()
    address = _native.message_event_address(message, byref(length))
    return string_at(address, length.value)


def _buffers(message: c_void_p, count: int) -> List[bytes]:
    length = c_size_t()
    buffers = []
    for index in range(count):
        address = _native.message_buffer(message, index, byref(length))
        buffers.append(string_at(address, length.value))
    return buffers


def _without_bytes(value: Any, buffers: List[bytes]) -> Any:
    """The value with placeholders where there were bytes, for JSON modules that know no hook."""
    if isinstance(value, _BYTES):
        buffers.append(bytes(value))
        return {"_placeholder": True, "num": len(buffers) - 1}
    if isinstance(value, (list, tuple)):
        return [_without_bytes(item, buffers) for item in value]
    if isinstance(value, dict):
        return {key: _without_bytes(item, buffers) for key, item in value.items()}
    return value


def _with_bytes(value: Any, filled: Callable[[Any], Any]) -> Any:
    if isinstance(value, list):
        return [_with_bytes(item, filled) for item in value]
    if isinstance(value, dict):
        value = filled(value)
        if isinstance(value, dict):
            return {key: _with_bytes(item, filled) for key, item in value.items()}
    return value
