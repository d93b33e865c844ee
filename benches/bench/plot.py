"""Draws as SVG: a page with colours for light and for dark, logarithmic axes, labels that do not overlap.

Refuses to know what is drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence
from xml.sax.saxutils import escape

#: What the style sheet knows of a line: its class gives its colour, for light and for dark pages.
COLOURS = {
    "ours": ("#0b5cd5", "#74b2ff"),
    "ours-too": ("#4c9bf5", "#3f82d8"),
    "limit": ("#6b7280", "#98a2b3"),
    "orange": ("#c2500a", "#f2a35e"),
    "violet": ("#7a3fd0", "#b89bf7"),
    "green": ("#1b7f47", "#6fcf97"),
}
_PAGE = {
    "surface": ("#ffffff", "#10151d"),
    "ink": ("#17202c", "#e8edf4"),
    "quiet": ("#5b6675", "#98a4b5"),
    "rule": ("#e4e8ee", "#262f3c"),
    "axis": ("#b3bcc8", "#4a5666"),
}
_FONTS = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"


def _style() -> str:
    # No variables: not every program that shows SVG knows them.
    return (
        f"text{{font-family:{_FONTS}}}.line{{fill:none;stroke-linejoin:round;stroke-linecap:round}}"
        ".dashed{stroke-dasharray:2 5}.thin{stroke-opacity:.6}"
        f"{_rules(0)}@media (prefers-color-scheme:dark){{{_rules(1)}}}"
    )


def _rules(scheme: int) -> str:
    colours = "".join(
        f".{name}{{stroke:{pair[scheme]}}}.fill-{name}{{fill:{pair[scheme]}}}"
        for name, pair in COLOURS.items()
    )
    page = {name: pair[scheme] for name, pair in _PAGE.items()}
    return (
        f"text{{fill:{page['ink']}}}.quiet{{fill:{page['quiet']}}}.surface{{fill:{page['surface']}}}"
        f".rule{{stroke:{page['rule']}}}.axis{{stroke:{page['axis']}}}{colours}"
    )


class Page:
    """Collects what is drawn."""

    def __init__(self, width: int, height: int, title: str, subtitle: str) -> None:
        self.width, self.height = width, height
        self._title, self._subtitle = title, subtitle
        self._parts: list[str] = []
        self.text(28, 38, title, 19, weight=650)
        self.text(28, 60, subtitle, 13, "quiet")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        name: str = "",
        anchor: str = "start",
        weight: int = 400,
    ) -> None:
        attributes = f' class="{name}"' if name else ""
        attributes += f' text-anchor="{anchor}"' if anchor != "start" else ""
        attributes += f' font-weight="{weight}"' if weight != 400 else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}"{attributes}>{escape(text)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, name: str, width: float = 1) -> None:
        self._parts.append(
            f'<path class="{name}" stroke-width="{width:g}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'
        )

    def path(self, points: Sequence[tuple[float, float]], name: str, width: float) -> None:
        steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self._parts.append(f'<path class="line {name}" stroke-width="{width:g}" d="M{steps}"/>')

    def dot(self, x: float, y: float, name: str, radius: float) -> None:
        self._parts.append(f'<circle class="fill-{name}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>')

    def svg(self) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" role="img" aria-labelledby="title desc">\n'
            f'<title id="title">{escape(self._title)}</title>\n<desc id="desc">{escape(self._subtitle)}</desc>\n'
            f"<style>{_style()}</style>\n"
            f'<rect class="surface" width="{self.width}" height="{self.height}" rx="10"/>\n'
            + "\n".join(self._parts)
            + "\n</svg>\n"
        )


@dataclass(frozen=True)
class Log:
    """A logarithmic scale from values to places; `low` is at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + part * (self.end - self.start)

    def decades(self) -> list[float]:
        """The powers of ten on it."""
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        return [10.0**power for power in range(first, last + 1)]


def decades_around(values: Sequence[float]) -> tuple[float, float]:
    """The powers of ten that hold all of these between them."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return 10.0**low, 10.0 ** max(high, low + 1)


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near to the wanted ones as they can be without coming closer to each other than `gap`,
    in the order of the wanted ones."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    # Groups of neighbours that touch: [sum of where their first would want to be, how many].
    groups: list[list[float]] = []
    for index in order:
        groups.append([wanted[index], 1])
        while len(groups) > 1 and _first(groups[-2], gap, low, high) + groups[-2][1] * gap > _first(
            groups[-1], gap, low, high
        ):
            total, count = groups.pop()
            groups[-1][0] += total - groups[-1][1] * count * gap
            groups[-1][1] += count
    places = [0.0] * len(wanted)
    ranks = iter(order)
    for group in groups:
        first = _first(group, gap, low, high)
        for step in range(int(group[1])):
            places[next(ranks)] = first + step * gap
    return places


def _first(group: list[float], gap: float, low: float, high: float) -> float:
    """Where the first of a group stands."""
    total, count = group
    return max(low, min(total / count, high - (count - 1) * gap))
