"""The plots: throughput by size, round trips, memory by length of the queue.

Owns what stands on each. Refuses to know how a line is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from .cells import PAYLOADS, QUEUES, payload_name
from .clients import BY_NAME
from .plot import Log, Page, apart, decades_around
from .results import P50, P99, PEAK_MIB, WALL, Results
from .text import number, size

#: How each client looks; those that stand for one kind of client are drawn in one colour.
_LOOKS = {
    "sio": "ours",
    "sio-python": "ours-too",
    "sio-python-async": "ours-too",
    "limit": "limit",
    "socket.io-client": "orange",
    "rust_socketio": "violet",
    "rust_socketio-async": "violet",
    "python-socketio": "green",
    "python-socketio-async": "green",
}
#: One line for each program that a reader may have in use; of two forms of one package the better.
_FAMILIES = (
    ("limit",),
    ("sio",),
    ("sio-python", "sio-python-async"),
    ("socket.io-client",),
    ("rust_socketio", "rust_socketio-async"),
    ("python-socketio", "python-socketio-async"),
)
_TOP = 92


@dataclass(frozen=True)
class Line:
    label: str
    look: str
    points: list[tuple[float, float]]

    @property
    def is_ours(self) -> bool:
        return self.look == "ours"


@dataclass(frozen=True)
class Frame:
    """Where a panel's axes stand."""

    left: float
    top: float
    right: float
    bottom: float


def throughput(results: Results) -> str | None:
    """Megabytes a second by the size of an event, received and emitted; None if nothing was measured."""
    panels = []
    for kind in ("text", "binary"):
        for verb in ("receive", "emit"):
            lines = [
                line for family in _FAMILIES if (line := _throughput_line(results, verb, kind, family))
            ]
            panels.append((f"{verb}, {kind}", lines))
    values = [y for _, lines in panels for line in lines for _, y in line.points]
    if not values:
        return None
    page = Page(
        1150,
        800,
        "Throughput by size of the event",
        "MB of payload each second, one client by websocket, server and client free to run anywhere; up is better",
    )
    for index, (title, lines) in enumerate(panels):
        if not lines:
            continue
        left, top = 84 + index % 2 * 550, _TOP + 28 + index // 2 * 348
        frame = Frame(left, top, left + 320, top + 276)
        sizes = [count for kind, count in PAYLOADS if kind == title.split(", ")[1]]
        x = Log(sizes[0], sizes[-1], frame.left + 14, frame.right - 14)
        y = Log(*decades_around(values), frame.bottom, frame.top)
        _panel(page, frame, title, x, y, [(count, size(count)) for count in sizes], _megabytes)
        _lines(page, frame, lines, x, y)
    return page.svg()


def _throughput_line(results: Results, verb: str, kind: str, family: Sequence[str]) -> Line | None:
    counts = [count for payload, count in PAYLOADS if payload == kind]
    found = []
    for client in family:
        points = []
        for count in counts:
            wall = results.spread(f"{verb}/websocket/{payload_name(kind, count)}", client, WALL)
            if wall:
                points.append((float(count), count / wall.median))
        if points:
            found.append(Line(BY_NAME[client].label, _LOOKS[client], points))
    return max(found, key=lambda line: (len(line.points), line.points[0][1]), default=None)


def memory(results: Results) -> str | None:
    """The peak of a process's memory by the number of events that wait in it."""
    found = [_memory_line(results, family) for family in _FAMILIES if family != ("limit",)]
    lines = [line for line in found if line]
    if not lines:
        return None
    longest = max(line.points[-1][0] for line in lines)
    payload = [(float(queued), queued * 64 / (1 << 20)) for queued in QUEUES if queued <= longest]
    values = [y for line in lines for _, y in line.points]
    if visible := [point for point in payload if point[1] >= 1]:
        lines.append(Line("the text alone", "limit", visible))
    page = Page(
        720,
        460,
        "Memory by length of the queue",
        "Peak of the process, with so many events of 64 bytes waiting; down is better",
    )
    frame = Frame(92, _TOP, 540, 410)
    x = Log(QUEUES[0], QUEUES[-1], frame.left + 14, frame.right - 14)
    y = Log(*decades_around([1.0, *values]), frame.bottom, frame.top)
    _panel(page, frame, "", x, y, [(queued, f"{queued:,}") for queued in QUEUES], _mebibytes)
    _lines(page, frame, lines, x, y)
    return page.svg()


def _memory_line(results: Results, family: Sequence[str]) -> Line | None:
    found = []
    for client in family:
        points = []
        for queued in QUEUES:
            peak = results.spread(f"drain/{queued}", client, PEAK_MIB)
            if peak:
                points.append((float(queued), peak.median))
        if points:
            found.append(Line(BY_NAME[client].label, _LOOKS[client], points))
    return max(found, key=lambda line: len(line.points), default=None)


def round_trips(results: Results) -> str | None:
    """The median call and the 99th of a hundred, of every client, in four panels."""
    panels = []
    for transport in ("websocket", "polling"):
        for count in (1, 64):
            cell = f"call/{transport}/{count}"
            rows = []
            for client in _LOOKS:
                p50, p99 = results.spread(cell, client, P50), results.spread(cell, client, P99)
                if p50 and p99:
                    rows.append((client, p50.median, p99.median))
            rows.sort(key=lambda row: row[1])
            panels.append((f"{count} open, by {transport}", rows))
    if not any(rows for _, rows in panels):
        return None
    most = [max(len(panels[0][1]), len(panels[1][1])), max(len(panels[2][1]), len(panels[3][1]))]
    heights = [most[0] * 25 + 92, most[1] * 25 + 92 if most[1] else 0]
    values = [value for _, rows in panels for _, p50, p99 in rows for value in (p50, p99)]
    page = Page(
        1192,
        _TOP + sum(heights) - 22,
        "Time of a call",
        "Microseconds from the call to its answer: the dot is the median, the line ends at the 99th of a hundred; left is better",
    )
    for index, (title, rows) in enumerate(panels):
        if not rows:
            continue
        left, top = 194 + index % 2 * 586, _TOP + 24 + index // 2 * heights[0]
        frame = Frame(left, top, left + 290, top + len(rows) * 25 + 6)
        _round_trip_panel(
            page, frame, title, rows, Log(*decades_around(values), frame.left, frame.right)
        )
    return page.svg()


def _round_trip_panel(
    page: Page, frame: Frame, title: str, rows: Sequence[tuple[str, float, float]], x: Log
) -> None:
    page.text(frame.left, frame.top - 12, title, 14, weight=600)
    for value in x.decades():
        page.line(x(value), frame.top, x(value), frame.bottom, "rule")
        page.text(x(value), frame.bottom + 17, _microseconds(value), 11.5, "quiet", "middle")
    page.text(frame.right + 104, frame.top - 12, "p50 / p99, µs", 11.5, "quiet", "end")
    for index, (client, p50, p99) in enumerate(rows):
        look, is_ours = _LOOKS[client], client == "sio"
        y = frame.top + 16 + index * 25
        weight = 650 if is_ours else 400
        page.text(frame.left - 12, y + 4.3, BY_NAME[client].label, 12.5, f"fill-{look}", "end", weight)
        page.line(x(p50), y, x(p99), y, look, 5 if is_ours else 2.5)
        page.dot(x(p50), y, look, 6.5 if is_ours else 4.5)
        page.text(
            frame.right + 104,
            y + 4.3,
            f"{number(p50)} / {number(p99)}",
            12,
            "" if is_ours else "quiet",
            "end",
            weight,
        )


def _panel(
    page: Page, frame: Frame, title: str, x: Log, y: Log, ticks: Sequence[tuple[float, str]], show
) -> None:
    if title:
        page.text(frame.left, frame.top - 12, title, 14, weight=600)
    for value in y.decades():
        page.line(frame.left, y(value), frame.right, y(value), "axis" if value == y.low else "rule")
        page.text(frame.left - 8, y(value) + 4, show(value), 11.5, "quiet", "end")
    for value, text in ticks:
        page.line(x(value), frame.bottom, x(value), frame.bottom + 5, "axis")
        page.text(x(value), frame.bottom + 20, text, 11.5, "quiet", "middle")


def _lines(page: Page, frame: Frame, lines: Sequence[Line], x: Log, y: Log) -> None:
    """The lines, ours above the others, and behind each end its name."""
    ordered = sorted(lines, key=lambda line: line.is_ours)
    for line in ordered:
        width = 3.6 if line.is_ours else 2.4 if line.look == "ours-too" else 1.8
        points = [(x(a), y(b)) for a, b in line.points]
        page.path(points, f"{line.look} dashed" if line.look == "limit" else line.look, width)
        for point in points:
            page.dot(*point, line.look, 4.6 if line.is_ours else 3)
    # A line that ends early has its name beside its last point; the others' stand in a column.
    last = max(line.points[-1][0] for line in ordered)
    for line in ordered:
        if line.points[-1][0] < last:
            _label(page, line, x(line.points[-1][0]) + 12, y(line.points[-1][1]))
    whole = [line for line in ordered if line.points[-1][0] == last]
    ends = [y(line.points[-1][1]) for line in whole]
    for line, end, place in zip(whole, ends, apart(ends, 17, frame.top + 4, frame.bottom - 4)):
        page.path(
            [(x(last) + 7, end), (frame.right + 4, place), (frame.right + 9, place)],
            f"{line.look} thin",
            0.8,
        )
        _label(page, line, frame.right + 13, place)


def _label(page: Page, line: Line, x: float, y: float) -> None:
    page.text(x, y + 4.3, line.label, 12.5, f"fill-{line.look}", weight=650 if line.is_ours else 400)


def _megabytes(value: float) -> str:
    return f"{value / 1000:,.0f} GB/s" if value >= 1000 else f"{value:g} MB/s"


def _mebibytes(value: float) -> str:
    return f"{value:,.0f} MiB"


def _microseconds(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g} s"
    return f"{value / 1000:g} ms" if value >= 1000 else f"{value:g} µs"
