"""An event loop's watch over one descriptor.

Owns which loop watches, and whether it does. Refuses to know what is read.
"""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Optional


class Reader:
    """Watches a descriptor in one event loop at a time."""

    __slots__ = ("loop", "fd", "reading")

    def __init__(self) -> None:
        self.loop: Optional[asyncio.AbstractEventLoop] = None
        self.fd = -1
        self.reading = False

    def start(self, function: Callable[..., Any], *args: Any) -> None:
        """Calls the function whenever there is something to read."""
        if not self.reading and self.loop is not None:
            self.loop.add_reader(self.fd, function, *args)
            self.reading = True

    def stop(self) -> None:
        """Ends that. Only in the loop's thread, or while the loop does not run."""
        if self.reading and self.loop is not None:
            self.reading = False
            if not self.loop.is_closed():
                self.loop.remove_reader(self.fd)

    def stop_and(self, free: Callable[[], None]) -> None:
        """Stops, and then closes the descriptor; from whatever thread the garbage collector runs
        in. A loop must not be left to watch a descriptor that has been closed, and perhaps opened
        again as something else."""
        loop = self.loop
        elsewhere = (
            self.reading
            and loop is not None
            and loop.is_running()
            and asyncio._get_running_loop() is not loop
        )
        if elsewhere and loop is not None:

            def later() -> None:
                self.stop()
                free()

            try:
                loop.call_soon_threadsafe(later)
                return
            except RuntimeError:
                pass  # It has just been closed.
        self.stop()
        free()
