"""The figures to reach: what must hold and what is aimed at, and whether it does.

Owns these figures. Refuses to know how they are measured.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Callable

from .cells import CROWDS, MEMORY_LIMIT, MIB, PAYLOADS, payload_name
from .results import (
    CPU,
    GROWTH_MIB,
    KIB_EACH,
    P50,
    P50_MS,
    RSS_PER_EVENT,
    START_MS,
    THREADS,
    Metric,
    Results,
)
from .text import number, times

Measure = Callable[[Results], float | None]
#: Of each client, beside its own: the main thread, and what the system's resolver may need for a moment.
_THREADS_ASIDE = 2


@dataclass(frozen=True)
class Target:
    """`must` and `goal` in the measure's own unit; None where nothing is asked."""

    cell: str
    what: str
    measure: Measure
    must: float | None
    goal: float | None
    #: Whether less is better.
    is_limit: bool
    show: Callable[[float], str] = number


@dataclass(frozen=True)
class Verdict:
    target: Target
    value: float | None

    @property
    def must(self) -> bool | None:
        """None: nothing is asked, or nothing was measured."""
        return self._holds(self.target.must)

    @property
    def goal(self) -> bool | None:
        return self._holds(self.target.goal)

    def _holds(self, bound: float | None) -> bool | None:
        if bound is None or self.value is None:
            return None
        compare = operator.le if self.target.is_limit else operator.ge
        return compare(self.value, bound)


def verdicts(results: Results) -> list[Verdict]:
    return [Verdict(target, target.measure(results)) for target in every()]


def missed(found: list[Verdict], is_whole: bool) -> list[Verdict]:
    """Those whose `must` does not hold. In a whole run one that was not measured is missed too."""
    return [
        verdict
        for verdict in found
        if verdict.target.must is not None
        and (verdict.must is False or (verdict.must is None and is_whole))
    ]


def every() -> list[Target]:
    return [
        *_receive(),
        *_emit(),
        *_calls(),
        *_queue(),
        *_polling(),
        *_connecting(),
        *_resources(),
        *_tls(),
        *_python(),
        Target("stripped libsio.so", "MB", _library_mb, 3.5, 2.5, True),
    ]


def _receive() -> list[Target]:
    text, binary = "receive/websocket/text-", "receive/websocket/binary-"
    return [
        _less_than_peer(f"{text}64", 8, 15),
        _to_limit(f"{text}64", 6, 4),
        _less_than_peer(f"{text}1k", 6, 10),
        _less_than_peer(f"{text}64k", 4.5, 8),
        _to_limit(f"{binary}1k", 1.9, 1.5),
        _to_limit(f"{binary}64k", 1.5, 1.25),
        _to_limit(f"{binary}1m", 1.2, 0.8),
    ]


def _emit() -> list[Target]:
    text, binary = "emit/websocket/text-", "emit/websocket/binary-"
    return [
        _less_than_peer(f"{text}64", 9, 15),
        _less_than_peer(f"{text}1k", 5, 9),
        _less_than_peer(f"{text}64k", 7, 12),
        _to_limit(f"{binary}1k", 4, 2.5),
        _to_limit(f"{binary}1m", 1.3, 1.0),
    ]


def _calls() -> list[Target]:
    one, many = "call/websocket/1", "call/websocket/64"
    asleep = ("sleepers/64", "sio"), ("sleepers/0", "sio")
    return [
        _to_limit(one, 1.7, 1.4, P50, "p50"),
        _to_limit(one, 2.2, 1.7),
        Target(one, "p50, to the best peer's", _of_peer(one, P50), 0.6, 0.45, True, times),
        Target(
            "sleepers/64",
            "processor time, to that without sleepers",
            _ratio(CPU, *asleep),
            1.1,
            1.03,
            True,
            times,
        ),
        Target(
            "sleepers/64", "p50, to that without sleepers", _ratio(P50, *asleep), 1.1, 1.03, True, times
        ),
        _less_than_peer(many, 4, 8),
    ]


def _queue() -> list[Target]:
    drained = ("drain/1000000", "sio"), ("drain/1000", "sio")
    return [
        Target(
            "drain/1000000",
            "processor time, to that of 1,000",
            _ratio(CPU, *drained),
            1.3,
            1.0,
            True,
            times,
        ),
        Target(
            "drain/1000000",
            "bytes for each queued event",
            _median("drain/1000000", "sio", RSS_PER_EVENT),
            None,
            130,
            True,
        ),
    ]


def _polling() -> list[Target]:
    call = "call/polling/1"
    return [
        Target(call, "p50, to the best peer's", _of_peer(call, P50), 1.0, None, True, times),
        _to_limit(call, None, 1.8, P50, "p50"),
        _less_than_peer("receive/polling/text-64", 1.5, 4),
        _less_than_peer("emit/polling/text-64", 3, 8),
    ]


def _connecting() -> list[Target]:
    ways = ("connect/websocket", "connect/polling")
    return [
        *(
            Target(cell, "p50, to the best peer's", _of_peer(cell, P50_MS), 1.0, 0.5, True, times)
            for cell in ways
        ),
        Target("start/websocket", "ms", _median("start/websocket", "sio", START_MS), 5, 2.5, True),
    ]


def _resources() -> list[Target]:
    crowd = CROWDS[-1]
    own, shared = f"idle/websocket/{crowd}", f"idle/websocket/{crowd}/shared"
    allowed = MEMORY_LIMIT / MIB + 8

    def least_memory(results: Results) -> float | None:
        # Either option serves the aim; the default must do what must be.
        found = [_median(cell, "sio", KIB_EACH)(results) for cell in (own, shared)]
        return min((value for value in found if value is not None), default=None)

    return [
        Target(own, "KiB each", _median(own, "sio", KIB_EACH), 40, None, True),
        Target(own, "KiB each, at best", least_memory, None, 8, True),
        Target(own, "threads", _median(own, "sio", THREADS), crowd + _THREADS_ASIDE, None, True, _whole),
        Target(
            shared, "threads", _median(shared, "sio", THREADS), None, 1 + _THREADS_ASIDE, True, _whole
        ),
        *(
            Target(
                f"memory/{way}",
                "MiB above the start",
                _median(f"memory/{way}", "sio", GROWTH_MIB),
                allowed,
                allowed,
                True,
            )
            for way in ("emit", "flood")
        ),
    ]


def _tls() -> list[Target]:
    return [
        Target(
            f"{verb}/tls/*",
            "processor time, less than the best peer, the worst of all sizes",
            _worst(verb),
            1.0,
            2.5,
            False,
            times,
        )
        for verb in ("receive", "emit")
    ]


def _python() -> list[Target]:
    cells = (
        ("receive/websocket/text-64", 4, 10),
        ("emit/websocket/text-64", 2, 4),
        ("call/websocket/1", 3, 8),
    )
    return [
        Target(
            f"{cell}, Python",
            "less than python-socketio's SimpleClient",
            _ratio(CPU, (cell, "python-socketio"), (cell, "sio-python")),
            must,
            goal,
            False,
            times,
        )
        for cell, must, goal in cells
    ]


def _less_than_peer(cell: str, must: float, goal: float) -> Target:
    return Target(
        cell,
        "processor time, less than the best peer",
        lambda results: _gain(results, cell),
        must,
        goal,
        False,
        times,
    )


def _to_limit(
    cell: str, must: float | None, goal: float, metric: Metric = CPU, what: str = "processor time"
) -> Target:
    return Target(
        cell,
        f"{what}, to the limit",
        _ratio(metric, (cell, "sio"), (cell, "limit")),
        must,
        goal,
        True,
        times,
    )


def _of_peer(cell: str, metric: Metric) -> Measure:
    def measure(results: Results) -> float | None:
        peer = results.best(cell, metric)
        return _ratio(metric, (cell, "sio"), (cell, peer))(results) if peer else None

    return measure


def _ratio(metric: Metric, above: tuple[str, str], below: tuple[str, str]) -> Measure:
    def measure(results: Results) -> float | None:
        found = results.ratio(metric, above, below)
        return found.median if found else None

    return measure


def _median(cell: str, client: str, metric: Metric) -> Measure:
    def measure(results: Results) -> float | None:
        found = results.spread(cell, client, metric)
        return found.median if found else None

    return measure


def _gain(results: Results, cell: str) -> float | None:
    """How many times less than the best peer."""
    peer = results.best(cell, CPU)
    return _ratio(CPU, (cell, peer), (cell, "sio"))(results) if peer else None


def _worst(verb: str) -> Measure:
    def measure(results: Results) -> float | None:
        gains = [_gain(results, f"{verb}/tls/{payload_name(*payload)}") for payload in PAYLOADS]
        # All of them, or it is not known which is the worst.
        return min(gain for gain in gains if gain is not None) if None not in gains else None

    return measure


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _library_mb(results: Results) -> float | None:
    stripped = results.library.get("stripped_bytes")
    return stripped / 1e6 if stripped else None
