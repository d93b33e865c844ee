"""How tasks of an event loop wait for one client.

The loop watches the client's descriptor; when it is readable, results go to the futures of their
operations, and one waiting receive() is woken for each event. An event is only taken by the task that
returns it, or put into the inbox here: a task that is cancelled has taken nothing.

Events stay in the library, which knows limits for them, unless the descriptor would stay readable for
ever while a result or an attempt is waited for; then they are moved to the inbox, up to a limit. If
nobody waits for anything the descriptor is not watched.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import weakref
from collections import deque
from ctypes import byref, c_int, c_uint64, c_void_p
from typing import Any, Callable, Deque, Dict, Optional, Set, Tuple

from . import _native
from ._codec import Codec
from ._handle import Handle, logger_of
from ._options import Options
from ._reader import Reader

#: How an operation ended: its status, the value that a call was answered with (or the exception that
#: taking it raised), and the details if it failed.
Outcome = Tuple[int, Any, Dict[str, Any]]

#: As many bytes of events may wait here because somebody waits for a result.
INBOX_LIMIT = 16 * 1024 * 1024
#: While that many do, results are looked for so often, in seconds. Reading is about to be paused then,
#: and no answer comes while it is.
CROWDED = 0.05
#: So many events are moved in one turn of the loop.
BATCH = 256


_OK = _native.OK
_TIMEOUT = _native.TIMEOUT
_receive = _native.receive_now
_result = _native.result_now


class AsyncWaiting:
    """Receives and operates for any number of tasks. Belongs to one event loop at a time."""

    def __init__(self, options: Options, codec: Codec, logger: Optional[logging.Logger]) -> None:
        self._inbox: Deque[Tuple[c_void_p, int]] = deque()
        self._inbox_bytes = 0
        self._reader = Reader()
        self.handle = Handle(options, codec, logger, self._reader)
        self._codec = codec
        self._pointer = self.handle.pointer
        self._reference = self.handle.reference
        #: Counts what was done without waiting; whoever is over some gives way to other tasks.
        self.turns = 0
        self._receivers: Deque["asyncio.Future[bool]"] = deque()
        self._pending: Dict[int, "asyncio.Future[Outcome]"] = {}
        #: Connects and disconnects that were cancelled and have not come to an end yet.
        self._ending: Set[int] = set()
        self._room: Deque["asyncio.Future[None]"] = deque()
        self._crowded: Optional[asyncio.TimerHandle] = None
        self._tags = itertools.count(1)
        self._asks_attempts = False
        self._preparing: Optional["asyncio.Task[None]"] = None

    def __del__(self) -> None:
        for message, _ in self._inbox:
            _native.message_free(message)

    async def give_way(self) -> None:
        """Lets other tasks run."""
        await asyncio.sleep(0)

    def take_event(self) -> Optional[c_void_p]:
        """The next event if there is one now, else None; a message to be freed. Raises
        DisconnectedError at the end."""
        if self._inbox:
            message, weight = self._inbox.popleft()
            self._inbox_bytes -= weight
            if self._crowded is not None and self._inbox_bytes < INBOX_LIMIT:
                self._watch_again()
            return message
        while True:
            out = c_void_p()
            status = _receive(self._reference, 0, byref(out))
            if status == _OK:
                if self._asks_attempts and self._is_attempt(out):
                    continue
                return out
            if status == _TIMEOUT:
                return None
            raise self.handle.error(status)

    async def receive(self, timeout: Optional[float]) -> Optional[c_void_p]:
        """The same, but waits; None if no event came in so many seconds."""
        loop = self._loop()
        limit = _native.milliseconds(timeout)
        if not limit:
            return None
        deadline = loop.time() + limit / 1000 if limit > 0 else None
        while True:
            waiter: "asyncio.Future[bool]" = loop.create_future()
            self._receivers.append(waiter)
            self._watch()
            timer = loop.call_at(deadline, _settle, waiter, False) if deadline else None
            try:
                in_time = await waiter
            except asyncio.CancelledError:
                # Whoever is next may have what this one was woken for.
                if waiter.done() and not waiter.cancelled() and waiter.result():
                    self._wake_receivers(1)
                raise
            finally:
                if timer is not None:
                    timer.cancel()
                if waiter in self._receivers:
                    self._receivers.remove(waiter)
            message = self.take_event()
            if message or not in_time:
                return message

    async def operate(self, start: Callable[..., int], *arguments: Any) -> Outcome:
        """Starts an operation and waits for its outcome. Being cancelled cancels it."""
        loop = self._loop()
        tag = next(self._tags)
        while True:
            status = start(self._pointer, *arguments, tag)
            if status != _native.FULL or not self._pending:
                break
            # Others that were started hold all the room.
            await self._any_outcome(loop)
        if status != _native.OK:
            return status, None, _native.error_details(self._pointer)
        future: "asyncio.Future[Outcome]" = loop.create_future()
        self._pending[tag] = future
        self._watch()
        try:
            return await future
        except asyncio.CancelledError:
            if self._pending.pop(tag, None) is not None:
                _native.client_cancel(self._pointer, tag)
                if start is not _native.client_emit_start and start is not _native.client_call_start:
                    self._ending.add(tag)
            raise

    async def prepare_connect(self) -> None:
        """Waits for the end of what was cancelled, and drops the events that wait here."""
        loop = self._loop()
        while self._ending:
            await self._any_outcome(loop)
        while self._inbox:
            _native.message_free(self._inbox.popleft()[0])
        self._inbox_bytes = 0

    def ask_attempts(self, wanted: bool) -> None:
        """Whether the target's functions are asked at each attempt from the second on."""
        if self._preparing is not None:
            self._preparing.cancel()
            self._preparing = None
        self._asks_attempts = wanted
        self.handle.set("report_attempts", "1" if wanted else "0")

    # ---- the loop ----

    def _loop(self) -> asyncio.AbstractEventLoop:
        """The loop that runs; the client moves to it if it was another's."""
        loop = asyncio.get_running_loop()
        if self._reader.loop is not loop:
            self._move_to(loop)
        return loop

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        reader = self._reader
        if reader.loop is not None:
            if reader.loop.is_running():
                raise RuntimeError("the client is in use in another event loop")
            reader.stop()
        if reader.fd < 0:
            fd = _native.client_fd(self._pointer)
            if fd < 0:
                raise self.handle.error(fd)
            reader.fd = fd
        reader.loop = loop
        # What waited in the old loop never goes on.
        self._receivers.clear()
        self._pending.clear()
        self._room.clear()
        self._crowded = None
        self._preparing = None

    def _watch(self) -> None:
        if not self._reader.reading and self._crowded is None:
            self._reader.start(_ready, weakref.ref(self))

    def _watch_again(self) -> None:
        if self._crowded is not None:
            self._crowded.cancel()
            self._crowded = None
        if self._pending or self._ending or self._asks_attempts or self._receivers:
            self._watch()

    def ready(self) -> None:
        """What the loop calls when the descriptor is readable."""
        if self._pending or self._receivers or self._ending or self._asks_attempts:
            self._take_outcomes()
            self._take_events()
        else:
            # It would be readable for ever. Whoever waits next watches again.
            self._reader.stop()

    def _take_outcomes(self) -> None:
        tag, status = c_uint64(), c_int()
        while True:
            reply = c_void_p()
            if _result(self._reference, 0, byref(tag), byref(status), byref(reply)) != _OK:
                break
            future = self._pending.pop(tag.value, None)
            self._ending.discard(tag.value)
            for waiter in self._room:
                _settle(waiter, None)
            self._room.clear()
            if future is None or future.done():
                _native.message_free(reply)
            elif status.value != _OK:
                future.set_result((status.value, None, _native.error_details(self._pointer)))
            else:
                future.set_result((_OK, self._reply(reply), {}))

    def _reply(self, message: c_void_p) -> Any:
        if not message:
            return None
        try:
            return self._codec.take_reply(message)
        except Exception as error:
            return error

    def _take_events(self) -> None:
        """Moves events to the inbox: one for each that waits to receive, and all of them if the
        descriptor has to tell of more than events."""
        everything = self._pending or self._ending or self._asks_attempts
        for _ in range(BATCH):
            if len(self._inbox) >= len(self._receivers) and not everything:
                break
            if self._inbox_bytes >= INBOX_LIMIT:
                self._reader.stop()
                loop = self._loop()
                self._crowded = loop.call_later(CROWDED, _look_again, weakref.ref(self))
                break
            out = c_void_p()
            status = _receive(self._reference, 0, byref(out))
            if status == _TIMEOUT:
                break
            if status != _OK:
                # The end: each asks for itself.
                self._wake_receivers(len(self._receivers))
                return
            if self._asks_attempts and self._is_attempt(out):
                continue
            weight = self._codec.weight(out) if everything else 0
            self._inbox.append((out, weight))
            self._inbox_bytes += weight
        self._wake_receivers(len(self._inbox))

    def look_again(self) -> None:
        """Looks for results while the descriptor cannot be watched."""
        self._crowded = None
        self._take_outcomes()
        if self._inbox_bytes < INBOX_LIMIT:
            self._watch_again()
        elif self._pending or self._ending:
            self._crowded = self._loop().call_later(CROWDED, _look_again, weakref.ref(self))

    def _wake_receivers(self, count: int) -> None:
        while count > 0 and self._receivers:
            waiter = self._receivers.popleft()
            if not waiter.done():
                waiter.set_result(True)
                count -= 1

    async def _any_outcome(self, loop: asyncio.AbstractEventLoop) -> None:
        waiter: "asyncio.Future[None]" = loop.create_future()
        self._room.append(waiter)
        self._watch()
        await waiter

    # ---- attempts ----

    def _is_attempt(self, message: c_void_p) -> bool:
        """Whether the message announces an attempt; it is seen to then. The attempt starts when the
        message is freed."""
        if _native.message_kind(message) != _native.MESSAGE_ATTEMPT:
            return False
        if self.handle.skip:
            self.handle.skip = False
            _native.message_free(message)
        else:
            self._preparing = asyncio.get_running_loop().create_task(self._prepare(message))
        return True

    async def _prepare(self, message: c_void_p) -> None:
        target = self.handle.target
        try:
            if target is not None:
                url = await value_of(target.url)
                headers = await value_of(target.headers)
                self.handle.set_target(target, (url, headers, await value_of(target.auth)))
        except Exception:
            logger_of(self.handle).exception(
                "a function given to connect() failed; the attempt goes where the last one went"
            )
        finally:
            _native.message_free(message)


async def value_of(given: Any) -> Any:
    """What connect() was given, or what the function that it was given returns."""
    if not callable(given):
        return given
    value = given()
    return await value if inspect.isawaitable(value) else value


def _settle(future: Any, result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _ready(waiting: "weakref.ref[AsyncWaiting]") -> None:
    found = waiting()
    if found is not None:
        found.ready()


def _look_again(waiting: "weakref.ref[AsyncWaiting]") -> None:
    found = waiting()
    if found is not None:
        found.look_again()
