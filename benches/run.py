#!/usr/bin/env python3
"""Measures sio beside the limit and its peers, see README.md.

Only the standard library is needed; the peers are installed by setup.sh.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from pathlib import Path

from bench import build, cells, charts, machine, publish, report, targets
from bench.clients import ALL, BY_NAME, OUTPUT, TOP
from bench.measure import Measuring
from bench.process import Failed
from bench.results import Results
from bench.text import duration

DOCUMENT = TOP / "docs" / "performance.md"
ROUNDS, QUICK_ROUNDS = 5, 2
#: A run should be longer, or its ends weigh too much.
SHORT_US = 20_000


def main() -> int:
    options = arguments()
    everything = cells.every(build.has_thread_option())
    if options.list:
        print("\n".join(cell.name for cell in everything))
        return 0
    if options.report:
        results = Results.read(OUTPUT / "results.json")
    else:
        results = measure(options, everything)
    return tell(options, results)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures sio beside the limit and its peers.")
    parser.add_argument(
        "--rounds", type=int, help=f"how often each cell is measured, {ROUNDS} if not said"
    )
    parser.add_argument(
        "--cells", nargs="+", metavar="GLOB", help="only these cells, such as 'receive/*'"
    )
    parser.add_argument(
        "--clients", nargs="+", choices=[client.name for client in ALL], help="only these clients"
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"short runs, {QUICK_ROUNDS} rounds, for a first look"
    )
    parser.add_argument(
        "--publish", action="store_true", help="puts tables and plots into docs/performance.md"
    )
    parser.add_argument(
        "--must", action="store_true", help="ends with status 1 if a figure that must be reached is not"
    )
    parser.add_argument(
        "--report", action="store_true", help="measures nothing: the tables and plots of the last run"
    )
    parser.add_argument("--list", action="store_true", help="names all cells")
    options = parser.parse_args()
    if options.rounds is not None and options.rounds < 1:
        parser.error("there must be a round")
    return options


def measure(options: argparse.Namespace, everything: list[cells.Cell]) -> Results:
    try:
        wanted = cells.chosen(everything, options.cells) if options.cells else everything
    except ValueError as error:
        raise Failed(str(error)) from None
    clients = options.clients or list(BY_NAME)
    build.build()
    build.check_installed(clients)
    # A thousand clients by polling hold two sockets each, and so does the server.
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    results = Results.empty({**machine.describe(), "load": os.getloadavg()[0]}, rounds, options.quick)
    results.content["library"] = build.library_file()
    begun = time.monotonic()
    with Measuring(build.SERVER, OUTPUT / "ca.pem", rounds, options.quick, clients) as measuring:
        measuring.measure(wanted, results)
    print(f"measured in {duration(time.monotonic() - begun)}\n")
    results.write(OUTPUT / "results.json")
    return results


def tell(options: argparse.Namespace, results: Results) -> int:
    text = report.markdown(results)
    print(text)
    (OUTPUT / "table.md").write_text(text)
    drawn = {
        "throughput.svg": charts.throughput(results),
        "latency.svg": charts.round_trips(results),
        "memory.svg": charts.memory(results),
    }
    plots = {name: svg for name, svg in drawn.items() if svg}
    for name in drawn:
        # None is left from a run that had more cells.
        (OUTPUT / name).unlink(missing_ok=True)
    for name, svg in plots.items():
        (OUTPUT / name).write_text(svg)
    print(f"results.json, table.md and {', '.join(plots) or 'no plot'} are in {show(OUTPUT)}")
    if options.publish:
        publish.publish(DOCUMENT, text, plots)
        print(f"published in {show(DOCUMENT)}")
    if not results.is_quick and (short := results.short(SHORT_US)):
        print(
            f"too short to say much, bench/counts.py guesses too high: {', '.join(dict.fromkeys(short))}"
        )
    # Of a run of a part nobody expects all figures.
    is_whole = not (options.cells or options.clients or options.quick)
    found = targets.verdicts(results)
    missed = targets.missed(found, is_whole)
    if options.must and all(verdict.must is None for verdict in found):
        raise Failed("no figure that must be reached was measured")
    for verdict in missed:
        value = "not measured" if verdict.value is None else verdict.target.show(verdict.value)
        print(f"missed: {verdict.target.cell}, {verdict.target.what}: {value}")
    return 1 if options.must and missed else 0


def show(path: Path) -> str:
    return os.path.relpath(path)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
