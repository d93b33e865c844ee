"""sio: Socket.IO for Python, by the library `sio`.

The clients are those of python-socketio, so that ``import sio as socketio`` is the only change to a
program that uses its ``SimpleClient`` or ``AsyncSimpleClient``.
"""

from . import exceptions
from ._version import __version__
from .async_simple_client import AsyncSimpleClient
from .simple_client import SimpleClient

__all__ = ["AsyncSimpleClient", "SimpleClient", "exceptions", "__version__"]
