"""The measuring itself: every cell, its rounds in turn over all clients, with a line on how far it is.

Owns the order of the runs. Refuses to know what comes of them.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any, Sequence

from . import counts
from .cells import FREE, PINNED, Cell
from .clients import BY_NAME, PEER, environment
from .process import Server, Unable, run, time_start
from .results import Results
from .text import duration


class Progress:
    """Says how far it is, and about how long it will still take."""

    def __init__(self, total_seconds: float, cells: int) -> None:
        self._total, self._cells = total_seconds, cells
        self._done_seconds = 0.0
        self._done = 0
        self._begun = time.monotonic()
        self._is_terminal = sys.stdout.isatty()

    def within(self, text: str) -> None:
        """What is under way, on a terminal only."""
        if self._is_terminal:
            print(f"\r\033[K[{self._done + 1:3}/{self._cells}] {text}", end="", flush=True)

    def note(self, text: str) -> None:
        start = "\r\033[K" if self._is_terminal else ""
        print(f"{start}          {text}", flush=True)

    def done(self, text: str, expected: float) -> None:
        self._done += 1
        self._done_seconds += expected
        spent = time.monotonic() - self._begun
        left = spent / self._done_seconds * max(0.0, self._total - self._done_seconds)
        start = "\r\033[K" if self._is_terminal else ""
        print(f"{start}[{self._done:3}/{self._cells}] {text}; {duration(left)} left", flush=True)


class Measuring:
    def __init__(
        self, program: Path, ca: Path, rounds: int, quick: bool, clients: Sequence[str]
    ) -> None:
        self._rounds, self._quick = rounds, quick
        self._clients = frozenset(clients)
        self._ca = ca
        self._env = environment()
        self._servers: dict[str, Server] = {}
        self._program = program

    def __enter__(self) -> "Measuring":
        # A certificate for each: two servers do not write the same file.
        self._cas = {PINNED: self._ca.with_suffix(".pinned.pem"), FREE: self._ca}
        for mode in (PINNED, FREE):
            self._servers[mode] = Server(self._program, self._cas[mode], mode == PINNED)
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers.values():
            server.close()

    def clients_of(self, cell: Cell) -> list[str]:
        return [client for client in cell.clients if client in self._clients]

    def rounds_of(self, cell: Cell) -> int:
        return min(self._rounds, cell.rounds or self._rounds)

    def expected_seconds(self, cell: Cell) -> float:
        each = sum(
            counts.expected_seconds(cell, client, self._quick) for client in self.clients_of(cell)
        )
        return each * self.rounds_of(cell) * len(cell.modes)

    def measure(self, cells: Sequence[Cell], results: Results) -> None:
        cells = [
            cell for cell in cells if self.clients_of(cell) and not counts.is_left_out(cell, self._quick)
        ]
        if not cells:
            raise ValueError("none of these clients has any of these cells")
        total = sum(self.expected_seconds(cell) for cell in cells)
        progress = Progress(total, len(cells))
        for cell in cells:
            begun = time.monotonic()
            self._measure_cell(cell, results, progress)
            clients = len(self.clients_of(cell))
            took = time.monotonic() - begun
            text = f"{cell.name}: {clients} clients, {self.rounds_of(cell)} rounds, {duration(took)}"
            progress.done(text, self.expected_seconds(cell))

    def _measure_cell(self, cell: Cell, results: Results, progress: Progress) -> None:
        results.begin(cell)
        clients = self.clients_of(cell)
        for number in range(self.rounds_of(cell)):
            if not clients:
                break
            # Nobody is always first, when the machine has just rested.
            turn = number % len(clients)
            for client in clients[turn:] + clients[:turn]:
                try:
                    for mode in cell.modes:
                        progress.within(f"{cell.name}: round {number + 1}, {client}, {mode}")
                        results.add(cell.name, client, mode, self._run(cell, client, mode))
                except Unable as unable:
                    # A peer may lack something, but not in one round and have it in another.
                    if BY_NAME[client].role != PEER or results.has(cell.name, client):
                        raise
                    progress.note(f"{cell.name}: without {client}: {unable.reason}")
                    results.leave_out(cell.name, client, unable.reason)
                    clients = [other for other in clients if other != client]

    def _run(self, cell: Cell, client: str, mode: str) -> dict[str, Any]:
        server = self._servers[mode]
        count = counts.count(cell, client, self._quick)
        command = self.command(cell, client, mode, count)
        if cell.operation == "start":
            times = [time_start(command, self._env) for _ in range(counts.starts(self._quick))]
            return {"start_us": statistics.median(times)}
        before = server.cpu_us()
        outcome = run(command, cell.operation, count, self._env, mode == PINNED)
        return {**outcome.said, "server_us": server.cpu_us() - before, "process_us": outcome.cpu_us}

    def command(self, cell: Cell, client: str, mode: str, count: int | None) -> list[str]:
        port = self._servers[mode].ports[cell.port]
        keys = dict(cell.keys)
        keys["url"] = f"{'https' if cell.port == 'tls' else 'http'}://127.0.0.1:{port}"
        if cell.port == "tls":
            keys["ca"] = self._cas[mode]
        if count is not None:
            keys["count"] = count
        words = [f"{key}={value}" for key, value in keys.items()]
        return [*BY_NAME[client].command(cell.operation), cell.operation, *words]
