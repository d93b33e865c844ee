"""Puts what was measured into the documentation: the tables between two marks, the plots beside it.

Owns the marks. Refuses to touch anything else in that file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

BEGIN = "<!-- measured: written by benches/run.py -->"
END = "<!-- end of what was measured -->"


def put_between(text: str, content: str) -> str:
    """The text with the content between the marks; ValueError if they are not there, once each."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"it does not have {BEGIN} and {END}, once each and in this order")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{content.strip()}\n\n{END}{rest.split(END)[1]}"


def publish(document: Path, content: str, plots: Mapping[str, str]) -> None:
    folder = document.with_suffix("")
    images = "\n\n".join(f"![{_title(svg)}]({folder.name}/{name})" for name, svg in plots.items())
    text = put_between(document.read_text(), f"{images}\n\n{content}")
    folder.mkdir(exist_ok=True)
    for name, svg in plots.items():
        (folder / name).write_text(svg)
    document.write_text(text)


def _title(svg: str) -> str:
    return svg.split('<title id="title">')[1].split("</title>")[0]
