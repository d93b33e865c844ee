"""Numbers and tables as a person reads them."""

from __future__ import annotations

from typing import Sequence

from .series import Spread

UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def number(value: float) -> str:
    """About three digits, never an exponent: 0.0456, 1.23, 45.6, 789, 12,300."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 999.5:
        return f"{round_to_digits(value, 3):,.0f}"
    if size >= 99.95:
        return f"{value:.0f}"
    for decimals, limit in ((1, 9.995), (2, 0.9995), (3, 0.09995)):
        if size >= limit:
            return f"{value:.{decimals}f}"
    return f"{value:.4f}"


def round_to_digits(value: float, digits: int) -> float:
    exponent = len(str(int(abs(value))))
    return round(value, digits - exponent)


def spread(values: Spread) -> str:
    """The median, and in brackets from where to where the rounds reach."""
    if number(values.low) == number(values.high):
        return number(values.median)
    return f"{number(values.median)} ({number(values.low)}–{number(values.high)})"


def times(ratio: float) -> str:
    return f"{ratio:.1f} ×" if ratio >= 9.95 else f"{ratio:.2f} ×"


def short(text: str) -> str:
    """A number that is exact by definition, without the noughts at its end: 8 × for 8.00 ×."""
    digits, blank, unit = text.partition(" ")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return digits + blank + unit


def size(count: int) -> str:
    """64 B, 1 KiB, 1 MiB."""
    for unit, name in UNITS:
        if count >= unit and count % unit == 0:
            return f"{count // unit} {name}"
    return f"{count} B"


def power_of_ten(count: int) -> str:
    """Counts as they are said: 1, 1,000, 1,000,000."""
    return f"{count:,}"


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A Markdown table. The first `left` columns stand to the left, the others, numbers, to the right."""
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"{len(row)} cells under {len(head)} heads: {row}")
    rule = ["---" if index < left else "---:" for index in range(len(head))]
    lines = [head, rule, *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
