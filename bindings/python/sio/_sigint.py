"""What `handle_sigint=True` asks for: Ctrl-C makes connected clients take leave.

Owns the process's SIGINT handler, which it chains. Refuses to wait: it only starts the leave-taking, and
the blocked call, if any, is ended by the KeyboardInterrupt that the handler before it raises.
"""

from __future__ import annotations

import signal
import threading
import weakref
from typing import Any

from . import _native
from ._handle import Handle

_handles: "weakref.WeakSet[Handle]" = weakref.WeakSet()
_previous: Any = None

#: How long taking leave may last, in milliseconds.
LEAVING_MS = 1000


def look_after(handle: Handle) -> None:
    """Makes the client leave at SIGINT. Sets the handler if this is the main thread, once."""
    global _previous
    _handles.add(handle)
    if _previous is not None or threading.current_thread() is not threading.main_thread():
        return
    # A process that ignores it, or handles it without Python, goes on with that.
    if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):
        _previous = signal.signal(signal.SIGINT, _handle_sigint)


def _handle_sigint(number: int, frame: Any) -> Any:
    for handle in list(_handles):
        if handle.state() > _native.STATE_DISCONNECTED:
            # Nobody waits for that result.
            _native.client_disconnect_start(handle.pointer, LEAVING_MS, 0)
    if callable(_previous):
        return _previous(number, frame)
    return signal.default_int_handler(number, frame)
