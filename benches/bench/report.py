"""The tables: what a reader sees of a measurement.

Owns their rows, columns and words. Refuses to know how the values came about.
"""

from __future__ import annotations

from typing import Sequence

from .cells import (
    CROWDS,
    FREE,
    IDLE_SECONDS,
    MEMORY_LIMIT,
    MIB,
    PAYLOADS,
    PINNED,
    QUEUES,
    SLEEPERS,
    payload_name,
    payload_title,
)
from .clients import ALL, BY_NAME
from .results import (
    CPU,
    GROWTH_MIB,
    IDLE_CPU,
    KIB_EACH,
    P50,
    P50_MS,
    P99,
    P99_MS,
    PEAK_MIB,
    RSS_PER_EVENT,
    START_MS,
    THREADS,
    WALL,
    Metric,
    Results,
)
from .targets import Verdict, verdicts
from .text import number, power_of_ten, short, spread, table, times

NONE = "–"
_OF_MESSAGES = ("recv", "emit", "call", "sleepers", "drain")
Row = tuple[str, str]


def markdown(results: Results) -> str:
    """All tables for which something was measured."""
    parts = [
        _machine(results),
        _section("Figures to reach", _FIGURES, figures(verdicts(results))),
        _section(
            "By websocket: processor time", _PINNED_TEXT, compared(results, CPU, _messages("websocket"))
        ),
        _section("By websocket: time", _FREE_TEXT, compared(results, WALL, _messages("websocket"))),
        _section(
            "By polling: processor time", _PINNED_TEXT, compared(results, CPU, _messages("polling"))
        ),
        _section("By polling: time", _FREE_TEXT, compared(results, WALL, _messages("polling"))),
        _section("Over TLS: processor time", _PINNED_TEXT, compared(results, CPU, _throughput("tls"))),
        _section("Round trips", _ROUND_TRIPS, round_trips(results)),
        _section("Connecting", _CONNECTING, connecting(results)),
        _section("The queue", _QUEUE, drained(results)),
        _section("Idle clients", _IDLE, idle(results)),
        _section("Memory", _MEMORY, memory(results)),
        _section("The Python package", _PYTHON, python(results)),
        _section("What peers cannot do", _LEFT_OUT, left_out(results)),
        _details("All clients, processor time", everybody(results, CPU, PINNED)),
        _details("All clients, time", everybody(results, WALL, FREE)),
        _details("The server's share of the processor time, per cent", shares(results)),
    ]
    return "\n".join(part for part in parts if part)


_FIGURES = "`must` has to hold; `goal` is the aim. All are of `sio` by the median, pinned processor time if nothing else is said."
_PINNED_TEXT = (
    "Microseconds of processor time, user and system, that the client's process needs for each message, with the server on "
    "the same processor. Medians of the rounds, with the lowest and the highest in brackets; ratios are taken round by round."
)
_FREE_TEXT = "Microseconds of wall time for each message, with server and client free to run anywhere: what a user sees."
_ROUND_TRIPS = "Microseconds of wall time from a call to its answer, free to run anywhere; the median call and the 99th of a hundred."
_CONNECTING = (
    "Milliseconds. A connect is over when the namespace is connected, with the upgrade when the websocket is in use. A start "
    "is from before the process is made to its report that it is connected, loading of the library or the interpreter included."
)
_QUEUE = (
    "Events of 64 bytes that have all arrived before the first is received: what each costs then, and the memory for it. The "
    "peak is that of the whole process. python-socketio has parsed an event before it waits, the others parse as they take it."
)
_IDLE = f"Clients in one process, connected and idle, with a heartbeat each second, watched for {IDLE_SECONDS} s."
_MEMORY = f"What the process grows by at its peak, with `send_limit` and `receive_limit` at {MEMORY_LIMIT // MIB} MiB."
_PYTHON = "Microseconds of processor time for each message by websocket, as above. `×` is python-socketio's to ours."


_LEFT_OUT = "Cells that a peer has no part in, and why."


def _section(title: str, text: str, content: str) -> str:
    return f"### {title}\n\n{text}\n\n{content}" if content else ""


def _details(title: str, content: str) -> str:
    return f"<details>\n<summary>{title}</summary>\n\n{content}\n</details>\n" if content else ""


def _machine(results: Results) -> str:
    machine = results.machine
    versions = {name: text for name, text in machine["versions"].items() if text}
    peers = ", ".join(
        f"{name} {versions[name]}"
        for name in ("socket.io-client", "rust_socketio", "python-socketio")
        if name in versions
    )
    tools = ", ".join(
        f"{name} {versions[name].lstrip('v')}"
        for name in ("rustc", "node", "python")
        if name in versions
    )
    lines = [
        f"Measured on {machine['date']} at revision `{machine['revision']}`: {machine['processor']}, {machine['processors']} "
        f"processors, {machine['memory_gib']} GiB, {machine['system']}, Linux {machine['kernel']}. {tools}. Peers: {peers}. "
        f"{results.rounds} rounds."
    ]
    if results.is_quick:
        lines.append("**A quick look, with short runs: these figures are rough.**")
    if machine.get("load", 0) > machine["processors"] / 4:
        lines.append(
            f"**Other programs were at work meanwhile (load {machine['load']:.1f}): these figures are rough.**"
        )
    return "\n\n".join(lines) + "\n"


def figures(found: Sequence[Verdict]) -> str:
    rows = []
    for verdict in found:
        target = verdict.target
        if verdict.value is None:
            continue  # Not measured: that cell was not chosen.
        sign = "≤" if target.is_limit else "≥"

        def bound(value: float | None, holds: bool | None) -> str:
            if value is None:
                return NONE
            return f"{sign} {short(target.show(value))} {'yes' if holds else '**no**'}"

        rows.append(
            (
                f"`{target.cell}`",
                target.what,
                target.show(verdict.value),
                bound(target.must, verdict.must),
                bound(target.goal, verdict.goal),
            )
        )
    if not rows:
        return ""
    return f"{_reached(found)}\n\n" + table(
        ("cell", "measure", "measured", "must", "goal"), rows, left=2
    )


def _reached(found: Sequence[Verdict]) -> str:
    def count(holds: Sequence[bool | None]) -> str:
        asked = [each for each in holds if each is not None]
        return f"{sum(asked)} of {len(asked)}"

    musts, goals = (count([getattr(verdict, name) for verdict in found]) for name in ("must", "goal"))
    return f"{musts} that must hold do, and {goals} goals are reached."


def _throughput(way: str) -> list[Row]:
    return [
        (f"{verb}/{way}/{payload_name(*payload)}", f"{verb} {payload_title(*payload)}")
        for verb in ("receive", "emit")
        for payload in PAYLOADS
    ]


def _calls(transport: str) -> list[Row]:
    return [(f"call/{transport}/1", "call, 1 open"), (f"call/{transport}/64", "call, 64 open")]


def _messages(transport: str) -> list[Row]:
    return _throughput(transport) + _calls(transport)


def compared(results: Results, metric: Metric, rows: Sequence[Row]) -> str:
    """Ours, the limit, the best peer, and how far we are from both."""
    lines = []
    for cell, title in rows:
        ours = results.spread(cell, "sio", metric)
        if ours is None:
            continue
        limit, peer = results.spread(cell, "limit", metric), results.best(cell, metric)
        to_limit = results.ratio(metric, (cell, "sio"), (cell, "limit"))
        line = [
            title,
            f"**{spread(ours)}**",
            spread(limit) if limit else NONE,
            times(to_limit.median) if to_limit else NONE,
        ]
        if peer is None:
            line += [NONE, NONE]
        else:
            theirs = results.spread(cell, peer, metric)
            gain = results.ratio(metric, (cell, peer), (cell, "sio"))
            assert theirs is not None and gain is not None
            line += [f"{spread(theirs)} {_name(peer)}", times(gain.median)]
        lines.append(line)
    head = ("", "sio", "the limit", "sio to the limit", "best peer", "peer to sio")
    return table(head, lines) if lines else ""


def round_trips(results: Results) -> str:
    rows = [
        (cell, f"{title}, by {transport}")
        for transport in ("websocket", "polling")
        for cell, title in _calls(transport)
    ]
    rows += [
        (f"sleepers/{threads}", f"call, {threads or 'no'} threads asleep in receive")
        for threads in SLEEPERS
    ]
    lines = []
    for cell, title in rows:
        if results.series(cell, "sio", P50) is None:
            continue
        peer = results.best(cell, P50)
        line = [title]
        for client in ("sio", "limit", peer):
            p50 = results.spread(cell, client, P50) if client else None
            p99 = results.spread(cell, client, P99) if client else None
            line += [spread(p50) if p50 else NONE, number(p99.median) if p99 else NONE]
        line.append(_name(peer) if peer else NONE)
        lines.append(line)
    head = ("", "sio p50", "p99", "the limit p50", "p99", "best peer p50", "p99", "who")
    return table(head, lines) if lines else ""


def connecting(results: Results) -> str:
    lines = []
    rows = [
        (f"connect/{way}", f"connect, {text}", P50_MS)
        for way, text in (
            ("websocket", "by websocket"),
            ("polling", "by polling"),
            ("upgrade", "with the upgrade"),
        )
    ]
    rows += [
        (f"start/{way}", f"process start to connected, by {way}", START_MS)
        for way in ("websocket", "polling")
    ]
    for cell, title, metric in rows:
        ours = results.spread(cell, "sio", metric)
        if ours is None:
            continue
        peer = results.best(cell, metric)
        p99 = results.spread(cell, "sio", P99_MS)
        line = [title, f"**{spread(ours)}**", number(p99.median) if p99 else NONE]
        theirs = results.spread(cell, peer, metric) if peer else None
        gain = results.ratio(metric, (cell, peer), (cell, "sio")) if peer else None
        line += (
            [f"{spread(theirs)} {_name(peer)}", times(gain.median)]
            if peer and theirs and gain
            else [NONE, NONE]
        )
        lines.append(line)
    return table(("", "sio", "p99", "best peer", "peer to sio"), lines) if lines else ""


def drained(results: Results) -> str:
    clients = ("sio", "sio-python", "sio-python-async", "python-socketio", "python-socketio-async")
    lines = []
    for queued in QUEUES:
        cell = f"drain/{queued}"
        if not results.clients(cell):
            continue
        each = results.spread(cell, "sio", RSS_PER_EVENT)
        line = [power_of_ten(queued)]
        for client in clients:
            cpu, peak = results.spread(cell, client, CPU), results.spread(cell, client, PEAK_MIB)
            line.append(f"{number(cpu.median)} µs, {number(peak.median)} MiB" if cpu and peak else NONE)
        lines.append((*line, number(each.median) if each else NONE))
    head = ("queued", *(BY_NAME[client].label for client in clients), "sio, bytes an event")
    return table(head, lines) if lines else ""


def idle(results: Results) -> str:
    lines = []
    for transport in ("websocket", "polling"):
        for crowd in CROWDS:
            for cell, suffix in (
                (f"idle/{transport}/{crowd}", ""),
                (f"idle/{transport}/{crowd}/shared", ", one thread for all"),
            ):
                for client in results.clients(cell):
                    kib, threads = (
                        results.spread(cell, client, KIB_EACH),
                        results.spread(cell, client, THREADS),
                    )
                    cpu = results.spread(cell, client, IDLE_CPU)
                    if not (kib and threads and cpu):
                        continue
                    # Microseconds in a second are millionths of a processor.
                    share = cpu.median / IDLE_SECONDS / 1e4
                    label = BY_NAME[client].label + suffix
                    lines.append(
                        (
                            f"{crowd:,} by {transport}",
                            f"**{label}**" if client == "sio" else label,
                            number(kib.median),
                            f"{threads.median:,.0f}",
                            f"{number(share)} %",
                        )
                    )
    return (
        table(("clients", "", "KiB each", "threads", "of one processor"), lines, left=2) if lines else ""
    )


def memory(results: Results) -> str:
    lines = []
    for way in ("emit", "flood"):
        growth = results.spread(f"memory/{way}", "sio", GROWTH_MIB)
        if growth:
            lines.append((results.title(f"memory/{way}"), f"{spread(growth)} MiB"))
    return table(("", "sio"), lines) if lines else ""


def python(results: Results) -> str:
    pairs = (("sio-python", "python-socketio"), ("sio-python-async", "python-socketio-async"))
    lines = []
    for cell, title in _messages("websocket"):
        line = [title]
        for ours, theirs in pairs:
            a, b = results.spread(cell, ours, CPU), results.spread(cell, theirs, CPU)
            gain = results.ratio(CPU, (cell, theirs), (cell, ours))
            line += (
                [f"**{spread(a)}**", spread(b), times(gain.median)]
                if a and b and gain
                else [NONE, NONE, NONE]
            )
        if set(line[1:]) != {NONE}:
            lines.append(line)
    head = (
        "",
        "SimpleClient: sio",
        "python-socketio",
        "×",
        "AsyncSimpleClient: sio",
        "python-socketio",
        "×",
    )
    return table(head, lines) if lines else ""


def left_out(results: Results) -> str:
    """Each reason once, with all cells that it holds for."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell in results.cells:
        for client, reason in results.left_out(cell).items():
            # A program that says who it is says it once.
            reason = reason.removeprefix(f"{_name(client).split(',')[0]}: ")
            found.setdefault((client, reason), []).append(f"`{cell}`")
    lines = [(_name(client), reason, ", ".join(cells)) for (client, reason), cells in found.items()]
    return table(("peer", "reason", "cells"), lines, left=3) if lines else ""


def everybody(results: Results, metric: Metric, mode: str) -> str:
    """The median of every client in every cell of messages, microseconds each."""
    cells = [
        cell
        for cell in results.cells
        if results.operation(cell) in _OF_MESSAGES
        and any(results.series(cell, client, metric) for client in results.clients(cell))
    ]
    clients = [
        client.name for client in ALL if any(results.series(cell, client.name, metric) for cell in cells)
    ]
    lines = []
    for cell in cells:
        found = [results.spread(cell, client, metric) for client in clients]
        lines.append([f"`{cell}`", *(number(value.median) if value else NONE for value in found)])
    return table(("µs", *(BY_NAME[client].label for client in clients)), lines) if lines else ""


def shares(results: Results) -> str:
    cells = [cell for cell in results.cells if results.runs(cell, "sio", PINNED)]
    clients = [
        client.name for client in ALL if any(results.runs(cell, client.name, PINNED) for cell in cells)
    ]
    lines = []
    for cell in cells:
        found = [results.server_share(cell, client) for client in clients]
        lines.append([f"`{cell}`", *(NONE if value is None else f"{value:.0f}" for value in found)])
    return table(("", *(BY_NAME[client].label for client in clients)), lines) if lines else ""


def _name(client: str) -> str:
    return BY_NAME[client].label
