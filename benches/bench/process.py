"""Runs the server and the clients, and takes nothing from them that is not what was agreed.

Owns the processes. Refuses to know what the figures mean.
"""

from __future__ import annotations

import json
import math
import os
import resource
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

#: The processor that server and client share in pinned runs.
PROCESSOR = "0"
#: A run that takes longer hangs.
DEADLINE = 120.0
_SERVER_DEADLINE = 10.0
#: The status with which a client ends that cannot do what it is asked for; it says why on stderr.
UNABLE = 2
_TICKS = os.sysconf("SC_CLK_TCK")

#: What a client says of each operation, beside what it may say more.
MEMBERS = {
    "recv": ("count", "cpu_us", "wall_us"),
    "emit": ("count", "cpu_us", "wall_us"),
    "call": ("count", "cpu_us", "wall_us", "p50_us", "p99_us"),
    "sleepers": ("count", "cpu_us", "wall_us", "p50_us", "p99_us"),
    "drain": ("count", "cpu_us", "peak_kib"),
    "connect": ("count", "p50_us", "p99_us"),
    "start": (),
    "idle": ("kib_each", "threads", "cpu_us"),
    "memory": ("peak_kib",),
}
#: These cannot be nothing; an idle client may well use no processor time that can be seen.
_POSITIVE = ("count", "wall_us", "p50_us", "p99_us", "threads")


class Failed(Exception):
    """A program did not do what was agreed; the text says which, and how."""


class Unable(Failed):
    """A client says that it cannot do what it was asked for."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Run:
    #: What the client said.
    said: dict[str, Any]
    #: From before its start to its end.
    elapsed_us: float
    #: User and system time of the whole process, its start included.
    cpu_us: float


def run(
    command: Sequence[str], operation: str, count: int | None, env: Mapping[str, str], pinned: bool
) -> Run:
    """Runs a client to its end. Failed for anything but one good line and exit status 0."""
    if pinned:
        command = ["taskset", "-c", PROCESSOR, *command]
    before = _children()
    begun = time.perf_counter()
    child = _started(command, env)
    try:
        out, err = child.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        raise Failed(f"{_words(command)}: no end after {DEADLINE:.0f} s") from None
    finally:
        _end(child)
    elapsed = time.perf_counter() - begun
    _check_end(command, child.returncode, out, err)
    said = parse(command, operation, count, out)
    return Run(said, elapsed * 1e6, (_children() - before) * 1e6)


def time_start(command: Sequence[str], env: Mapping[str, str]) -> float:
    """Microseconds from before the process is started to its line."""
    begun = time.perf_counter()
    child = _started(command, env)
    try:
        assert child.stdout is not None
        ready = select.select([child.stdout], [], [], DEADLINE)[0]
        elapsed = time.perf_counter() - begun
        if not ready:
            raise Failed(f"{_words(command)}: no line after {DEADLINE:.0f} s")
        out, err = child.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        raise Failed(f"{_words(command)}: connected, but no end after {DEADLINE:.0f} s") from None
    finally:
        _end(child)
    _check_end(command, child.returncode, out, err)
    parse(command, "start", None, out)
    return elapsed * 1e6


def parse(command: Sequence[str], operation: str, count: int | None, out: bytes) -> dict[str, Any]:
    """The one line of JSON, with all that the operation needs in it."""

    def wrong(what: str) -> Failed:
        return Failed(f"{_words(command)}: {what}: {out[:500]!r}")

    if out.count(b"\n") != 1 or not out.endswith(b"\n"):
        raise wrong("not exactly one line on stdout")
    try:
        said = json.loads(out)
    except ValueError:
        raise wrong("no JSON on stdout") from None
    if not isinstance(said, dict):
        raise wrong("no JSON object on stdout")
    for member in MEMBERS[operation]:
        value = said.get(member)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            raise wrong(f"{member} is {value!r}")
        if value < 0 or (member in _POSITIVE and value == 0):
            raise wrong(f"{member} is {value!r}")
    if count is not None and said["count"] != count:
        raise wrong(f"the count is {said['count']}, {count} were asked for")
    return said


class Server:
    """The canned server. It ends when the runner does, whatever happens: its stdin ends then."""

    def __init__(self, program: Path, ca: Path, pinned: bool) -> None:
        command = [str(program), "--ca", str(ca)]
        if pinned:
            command = ["taskset", "-c", PROCESSOR, *command]
        self._command = command
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self.ports = self._ports()

    def _ports(self) -> dict[str, int]:
        assert self._child.stdout is not None
        line = b""
        if select.select([self._child.stdout], [], [], _SERVER_DEADLINE)[0]:
            line = self._child.stdout.readline()
        words = line.split()
        pairs = dict(word.decode().split("=", 1) for word in words[1:] if b"=" in word)
        if words[:1] != [b"LISTENING"] or not {"plain", "upgrade", "heartbeat", "tls"} <= pairs.keys():
            self.close()
            raise Failed(f"{_words(self._command)}: it said {line!r}")
        return {name: int(port) for name, port in pairs.items()}

    def cpu_us(self) -> float:
        """User and system time of all its threads, those that have ended included."""
        try:
            with open(f"/proc/{self._child.pid}/stat", "rb") as file:
                # The name before it may contain blanks.
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            raise Failed(f"{_words(self._command)}: the server has ended") from None
        if fields[0] == b"Z":
            raise Failed(f"{_words(self._command)}: the server has ended")
        return (int(fields[11]) + int(fields[12])) * 1e6 / _TICKS

    def close(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            self._child.wait(_SERVER_DEADLINE)
        except subprocess.TimeoutExpired:
            raise Failed(f"{_words(self._command)}: it does not end with its stdin") from None
        finally:
            _end(self._child)


def _started(command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            start_new_session=True,
        )
    except OSError as error:
        raise Failed(f"{_words(command)}: {error}") from None


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            stream.close()


def _check_end(command: Sequence[str], status: int, out: bytes, err: bytes) -> None:
    if status == UNABLE and err.strip():
        raise Unable(err.decode(errors="replace").strip())
    if status != 0:
        said = (err or out).decode(errors="replace").strip()[-2000:]
        raise Failed(f"{_words(command)}: exit status {status}: {said or 'it said nothing'}")


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _words(command: Sequence[str]) -> str:
    return " ".join(command)
