"""What was measured, as it is kept in results.json, and the series of rounds that can be asked of it.

Owns the form of that file. Refuses to know how it is shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cells import FREE, PINNED, Cell
from .clients import PEERS
from .series import Spread, least, ratios

#: The form of the file; another one cannot be read.
FORM = 1


@dataclass(frozen=True)
class Metric:
    """One number of a run: `member` of what the client said, for each message if `each`."""

    name: str
    mode: str
    member: str
    each: bool = False
    #: What it is divided by, to be in the unit it is shown in.
    unit: float = 1.0


CPU = Metric("processor time", PINNED, "cpu_us", each=True)
WALL = Metric("time", FREE, "wall_us", each=True)
P50 = Metric("p50", FREE, "p50_us")
P99 = Metric("p99", FREE, "p99_us")
PINNED_P50 = Metric("p50 on one processor", PINNED, "p50_us")
P50_MS = Metric("p50", FREE, "p50_us", unit=1000)
P99_MS = Metric("p99", FREE, "p99_us", unit=1000)
START_MS = Metric("start", FREE, "start_us", unit=1000)
PEAK_MIB = Metric("peak memory", PINNED, "peak_kib", unit=1024)
GROWTH_MIB = Metric("growth", FREE, "peak_kib", unit=1024)
RSS_PER_EVENT = Metric("bytes", PINNED, "rss_per_event")
KIB_EACH = Metric("memory", FREE, "kib_each")
THREADS = Metric("threads", FREE, "threads")
IDLE_CPU = Metric("processor time", FREE, "cpu_us")


class Results:
    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content

    @staticmethod
    def empty(machine: dict[str, Any], rounds: int, quick: bool) -> "Results":
        return Results(
            {
                "form": FORM,
                "machine": machine,
                "rounds": rounds,
                "quick": quick,
                "cells": {},
                "library": {},
            }
        )

    @staticmethod
    def read(path: Path) -> "Results":
        content = json.loads(path.read_text())
        if content.get("form") != FORM:
            raise ValueError(f"{path} is of another version of the runner")
        return Results(content)

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.content, indent=1) + "\n")

    @property
    def machine(self) -> dict[str, Any]:
        return self.content["machine"]

    @property
    def rounds(self) -> int:
        return self.content["rounds"]

    @property
    def is_quick(self) -> bool:
        return self.content["quick"]

    @property
    def cells(self) -> list[str]:
        return list(self.content["cells"])

    @property
    def library(self) -> dict[str, Any]:
        """What is known of the library's file."""
        return self.content["library"]

    def begin(self, cell: Cell) -> None:
        self.content["cells"][cell.name] = {
            "title": cell.title,
            "operation": cell.operation,
            "keys": dict(cell.keys),
            "clients": {},
            "left_out": {},
        }

    def add(self, cell: str, client: str, mode: str, run: dict[str, Any]) -> None:
        """Adds one round. Rounds come in the order in which they were run, for every client alike."""
        self.content["cells"][cell]["clients"].setdefault(client, {}).setdefault(mode, []).append(run)

    def leave_out(self, cell: str, client: str, reason: str) -> None:
        """Keeps why a client has no part in a cell."""
        self.content["cells"][cell]["left_out"][client] = reason

    def left_out(self, cell: str) -> dict[str, str]:
        return self.content["cells"][cell]["left_out"]

    def has(self, cell: str, client: str) -> bool:
        """Whether anything of this client in this cell was measured."""
        return client in self.clients(cell)

    def title(self, cell: str) -> str:
        return self.content["cells"][cell]["title"]

    def operation(self, cell: str) -> str:
        return self.content["cells"][cell]["operation"]

    def clients(self, cell: str) -> list[str]:
        """Who was measured in this cell; nobody in one that was left out."""
        return list(self.content["cells"].get(cell, {}).get("clients", {}))

    def runs(self, cell: str, client: str, mode: str) -> list[dict[str, Any]]:
        return self.content["cells"].get(cell, {}).get("clients", {}).get(client, {}).get(mode, [])

    def series(self, cell: str, client: str, metric: Metric) -> list[float] | None:
        """The metric's value in each round; None if the client was not measured so."""
        values = []
        for run in self.runs(cell, client, metric.mode):
            value, count = run.get(metric.member), run.get("count") if metric.each else 1
            if value is None or count is None:
                return None
            values.append(value / metric.unit / count)
        return values or None

    def spread(self, cell: str, client: str, metric: Metric) -> Spread | None:
        values = self.series(cell, client, metric)
        return Spread.of(values) if values else None

    def best(self, cell: str, metric: Metric, clients: tuple[str, ...] = PEERS) -> str | None:
        """Who of these needs least; None if none was measured."""
        measured = [(client, self.series(cell, client, metric)) for client in clients]
        present = [(client, values) for client, values in measured if values]
        return least(present) if present else None

    def ratio(self, metric: Metric, above: tuple[str, str], below: tuple[str, str]) -> Spread | None:
        """A cell and client against another, round by round; None if one of them was not measured."""
        numerators, denominators = self.series(*above, metric), self.series(*below, metric)
        if numerators is None or denominators is None:
            return None
        return Spread.of(ratios(numerators, denominators))

    def short(self, least_us: float) -> list[str]:
        """Whose measured part took less than that in a cell, and says little therefore."""
        return [
            f"{cell} {client}"
            for cell in self.cells
            if self.operation(cell) in ("recv", "emit", "call", "sleepers")
            for client in self.clients(cell)
            for mode in (PINNED, FREE)
            if any(run.get("wall_us", least_us) < least_us for run in self.runs(cell, client, mode))
        ]

    def server_share(self, cell: str, client: str) -> float | None:
        """The server's part of the processor time of both, in per cent. Of all rounds together: the
        system tells it in hundredths of a second."""
        runs = self.runs(cell, client, PINNED) or self.runs(cell, client, FREE)
        server, process = (
            sum(run.get(member, 0) for run in runs) for member in ("server_us", "process_us")
        )
        return server / (server + process) * 100 if process else None
