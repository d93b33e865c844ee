"""How threads wait for one client.

A call into the library that blocks cannot be ended by Ctrl-C: the system's signal handler of Python
only makes a note, and the handler that raises KeyboardInterrupt runs when the interpreter goes on. So
nothing blocks inside the library. Operations are started, and what is waited for is the client's
descriptor, by Python's own poll(), which a signal ends at once and which then runs the handlers.

The descriptor says that events or results are there, not whose, and each can be taken once. So one of
the threads that wait, the leader, polls, takes what there is, and hands it to those whose it is; the
others sleep on a lock of their own, which a signal ends in the same way. A leader that leaves rings for
the next. A thread that waits alone is its own leader and pays nothing for the others. There is no
thread of our own, and nobody wakes without a cause.

What a signal's handler raises may come after any call that the main thread makes here. So what has been
taken from the library is put where it belongs before anything else is called, and a leader gives up its
place before it does anything that could be interrupted again.

Events stay in the library, which knows limits for them, unless a thread that waits for a result would
find the descriptor readable for ever; then they are moved to the inbox here, up to a limit.
"""

from __future__ import annotations

import itertools
import os
import select
import threading
import time
import weakref
from _thread import allocate_lock, get_ident
from collections import deque
from ctypes import byref, c_int, c_uint64, c_void_p
from typing import Any, Callable, Deque, Dict, Optional, Set, Tuple

from . import _native
from ._handle import Handle

#: How an operation ended: its status, its answer (a message to be freed, or None), and the details if
#: it failed. A message is a c_void_p.
Outcome = Tuple[int, Any, Dict[str, Any]]

#: As many bytes of events may wait here because somebody waits for a result.
INBOX_LIMIT = 16 * 1024 * 1024
#: While that many do, results are looked for so often. Reading is about to be paused then, and no
#: answer comes while it is.
CROWDED_MS = 50
FULL_MS = 20


_OK = _native.OK
_TIMEOUT = _native.TIMEOUT
_receive = _native.receive_now
_result = _native.result_now

_all: "weakref.WeakSet[Waiting]" = weakref.WeakSet()


class Waiting:
    """Receives and operates for any number of threads."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._pointer = handle.pointer
        self._reference = handle.reference
        # Guards all below. Reentrant, for signal handlers that use the client.
        self._mutex = threading.RLock()
        self._leader: Optional[int] = None
        self._poller: Any = None
        self._receivers: Deque[Any] = deque()
        self._operators: Dict[int, Any] = {}
        self._inbox: Deque[Tuple[c_void_p, int]] = deque()
        self._inbox_bytes = 0
        self._tags = itertools.count(1)
        self._awaited: Set[int] = set()
        self._outcomes: Dict[int, Outcome] = {}
        #: Changes when an outcome is put by for somebody else.
        self._put_by = 0
        _all.add(self)

    def __del__(self) -> None:
        for message, _ in self._inbox:
            _native.message_free(message)
        for _, reply, _ in self._outcomes.values():
            _native.message_free(reply)

    def forget_threads(self) -> None:
        """In a child process: the other threads are not there, and may have held the lock."""
        self._mutex = threading.RLock()
        self._leader = None
        self._receivers.clear()
        self._operators.clear()
        self.clear()

    def clear(self) -> None:
        """Drops the events that wait here."""
        with self._mutex:
            while self._inbox:
                _native.message_free(self._inbox.popleft()[0])
            self._inbox_bytes = 0

    def receive(self, limit: int) -> Optional[c_void_p]:
        """The next event, None if none comes in time; a message to be freed. `limit` in milliseconds,
        or FOREVER. Raises DisconnectedError at the end."""
        with self._mutex:
            message = self._take_event()
            if message or not limit:
                return message
            if self._leader == get_ident():
                return self._receive_within(limit)
        deadline = None if limit < 0 else time.monotonic() + limit / 1000
        found: Optional[c_void_p] = self._wait(self._take_event, 0, deadline)
        return found

    def operate(self, start: Callable[..., int], *arguments: Any) -> Outcome:
        """Starts an operation and waits for its outcome. Whatever ends the wait otherwise ends the
        operation too."""
        tag = next(self._tags)
        self._awaited.add(tag)
        try:
            status = start(self._pointer, *arguments, tag)
            while status == _native.FULL:
                # As much as may wait is waiting already, and threads are held up. Rare and busy, so
                # that looking again now and then is not idle.
                time.sleep(FULL_MS / 1000)
                status = start(self._pointer, *arguments, tag)
            if status != _native.OK:
                return status, None, _native.error_details(self._pointer)
            outcome: Optional[Outcome] = self._wait(lambda: self._take_outcome(tag), tag, None)
            assert outcome is not None, "a wait without a limit has ended"
            return outcome
        finally:
            # Also if it raised, at whatever point: a KeyboardInterrupt comes anywhere.
            if tag in self._awaited:
                self._abandon(tag)

    def is_within(self) -> bool:
        """Whether this is called in a signal handler that came while this thread led. Nothing can be
        waited for by the descriptor then: the results that come are the ones that the interrupted
        wait will look for."""
        return self._leader == get_ident()

    def _abandon(self, tag: int) -> None:
        with self._mutex:
            self._awaited.discard(tag)
            outcome = self._outcomes.pop(tag, None)
        if outcome is not None:
            _native.message_free(outcome[1])
        else:
            _native.client_cancel(self._pointer, tag)

    def _receive_within(self, limit: int) -> Optional[c_void_p]:
        out = c_void_p()
        status = _native.client_receive(self._pointer, limit, byref(out))
        if status == _native.OK:
            return out
        if status == _native.TIMEOUT:
            return None
        raise self._handle.error(status)

    # ---- one wait ----

    def _wait(self, take: Callable[[], Any], tag: int, deadline: Optional[float]) -> Any:
        """What `take` gives as soon as it gives something, None after the deadline. `tag` is that of
        an operation, 0 for none."""
        me = get_ident()
        leads = False
        has_polled = False
        bell: Any = None
        try:
            while True:
                with self._mutex:
                    if leads:
                        leads = False
                        self._leader = None
                    if has_polled:
                        self._take_outcomes(tag)
                    found = take()
                    if found:
                        return found
                    crowded = has_polled and tag and not self._clear_descriptor()
                    left = -1.0
                    if deadline is not None:
                        left = deadline - time.monotonic()
                        if left <= 0:
                            return None
                    if self._leader is None:
                        put_by = self._put_by
                        self._leader, leads = me, True
                    else:
                        bell = allocate_lock()
                        bell.acquire()
                        if tag:
                            self._operators[tag] = bell
                        else:
                            self._receivers.append(bell)
                has_polled = leads
                if not leads:
                    bell.acquire(True, left)
                    self._forget(bell, tag)
                    bell = None
                elif put_by == self._put_by:
                    if crowded:
                        time.sleep(CROWDED_MS / 1000)
                    else:
                        self._poll(left)
        finally:
            if leads:
                self._leader = None
            self._leave(bell, tag)

    def _poll(self, seconds: float) -> None:
        if self._poller is None:
            fd = _native.client_fd(self._pointer)
            if fd < 0:
                raise self._handle.error(fd)
            poller = select.poll()
            poller.register(fd, select.POLLIN)
            self._poller = poller
        # Rounded up, so that the deadline has passed when this says that nothing came.
        self._poller.poll(None if seconds < 0 else int(seconds * 1000) + 1)

    def _leave(self, bell: Any, tag: int) -> None:
        """Lets others go on, whatever signals come meanwhile."""
        interrupted: Optional[BaseException] = None
        for _ in range(3):
            try:
                with self._mutex:
                    if bell is not None:
                        self._forget(bell, tag)
                    self._ring_next()
                break
            except BaseException as error:
                interrupted = error
        if interrupted is not None:
            raise interrupted

    def _forget(self, bell: Any, tag: int) -> None:
        with self._mutex:
            if tag:
                if self._operators.get(tag) is bell:
                    del self._operators[tag]
            elif bell in self._receivers:
                self._receivers.remove(bell)

    def _ring_next(self) -> None:
        """Wakes whoever has something to do now. Called with the lock."""
        self._ring_ready()
        if self._receivers and (self._inbox or self._leader is None):
            self._ring_receivers(1)
        elif self._operators and self._leader is None:
            _ring(next(iter(self._operators.values())))

    def _ring_ready(self) -> None:
        """Wakes those whose outcome is there. They take their bells away themselves."""
        for tag, bell in self._operators.items():
            if tag in self._outcomes:
                _ring(bell)

    def _ring_receivers(self, count: int) -> None:
        for _ in range(min(count, len(self._receivers))):
            _ring(self._receivers[0])
            self._receivers.popleft()

    # ---- taking, with the lock ----

    def _take_event(self) -> Optional[c_void_p]:
        if self._inbox:
            message, weight = self._inbox.popleft()
            self._inbox_bytes -= weight
            return message
        out = c_void_p()
        try:
            status = _receive(self._reference, 0, byref(out))
        except BaseException:
            if out:
                self._inbox.appendleft((out, 0))
            raise
        if status == _OK:
            return out
        if status == _TIMEOUT:
            return None
        raise self._handle.error(status)

    def _take_outcome(self, tag: int) -> Optional[Outcome]:
        outcome = self._outcomes.pop(tag, None)
        if outcome is None:
            self._take_outcomes(tag)
            outcome = self._outcomes.pop(tag, None)
        if outcome is not None:
            self._awaited.discard(tag)
        return outcome

    def _take_outcomes(self, own: int) -> None:
        """Takes the results that are there, for whomever they are."""
        tag, status = c_uint64(), c_int()
        for_others = False
        while True:
            tag.value = 0
            reply = c_void_p()
            try:
                found = _result(self._reference, 0, byref(tag), byref(status), byref(reply)) == _OK
            finally:
                if tag.value in self._awaited:
                    self._outcomes[tag.value] = status.value, reply, {}
            if not found:
                break
            if tag.value not in self._awaited:
                _native.message_free(reply)
                continue
            if status.value != _OK:
                details = _native.error_details(self._pointer)
                self._outcomes[tag.value] = status.value, reply, details
            if tag.value != own:
                self._put_by += 1
                for_others = True
        if for_others:
            self._ring_ready()

    def _clear_descriptor(self) -> bool:
        """Moves events here, so that the descriptor tells of results only. False if too many are
        here already."""
        arrived = False
        while self._inbox_bytes < INBOX_LIMIT:
            out = c_void_p()
            try:
                status = _receive(self._reference, 0, byref(out))
            finally:
                if out:
                    self._inbox.append((out, 0))
            if status != _OK:
                break
            weight = self._handle.codec.weight(out)
            self._inbox[-1] = out, weight
            self._inbox_bytes += weight
            arrived = True
        else:
            return False
        # At the end each receiver asks the library for itself.
        if status != _TIMEOUT:
            self._ring_receivers(len(self._receivers))
        elif arrived:
            self._ring_receivers(len(self._inbox))
        return True


def _after_fork() -> None:
    for waiting in list(_all):
        waiting.forget_threads()


os.register_at_fork(after_in_child=_after_fork)


def _ring(bell: Any) -> None:
    if bell.locked():
        bell.release()
