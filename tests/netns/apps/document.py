# SPDX-License-Identifier: BSD-3-Clause
"""docs/programs.md: what the last whole runs found (`nox -s apps -- --write`, with and without --loopback)."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.machine import REPO

from .base import App
from .runner import Row, shorten

PATH = REPO / "docs/programs.md"
TOP = """\
# Programs that were run

Made by `nox -s apps -- --write`, with `--loopback` for the second part: programs of the distribution, unmodified, on
its libc and on Joyride's, with the same answers. What may differ, and why: [Compatibility](compatibility.md).
"""
HEADINGS = {
    False: "## Two machines, one of them on Joyride",
    True: '## One machine, with loopback = "service"',
}
HOW = {
    False: """\
serves: the server is on Joyride, its client on another machine's kernel; asks: the reverse; local: both on Joyride.""",
    True: """\
Servers, clients and what is between them are on Joyride, over 127.0.0.1 and ::1; the service counts both ends.""",
}


@dataclass(frozen=True)
class Line:
    """A workload in the table, all its ways together."""

    program: str
    workload: str
    ways: str
    counted: str
    difference: str


def update(looped: bool, rows: Sequence[Row], apps: dict[str, App]) -> None:
    """Write one part of the page, and leave the other as it is."""
    old = PATH.read_text() if PATH.exists() else ""
    parts = {key: part(old, heading) for key, heading in HEADINGS.items()}
    parts[looped] = section(looped, rows, apps)
    PATH.write_text("\n".join([TOP, *(text for text in parts.values() if text)]))


def part(text: str, heading: str) -> str:
    """From its heading to the next."""
    begin = text.find(heading)
    if begin < 0:
        return ""
    end = text.find("\n## ", begin)
    return text[begin:] if end < 0 else text[begin:end]


def section(looped: bool, rows: Sequence[Row], apps: dict[str, App]) -> str:
    """When, on what, and the table."""
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    wrong = sum(bool(row.complaints()) for row in rows)
    said = f"{len(rows) - wrong} of {len(rows)} the same or explained"
    libc = versions(["libc6"]).get("libc6", "")
    when = f"{time.strftime('%Y-%m-%d')}, {system[1] if system else 'Linux'}, libc6 {libc}: {said}."
    found = versions({app.packages[0] for app in apps.values()})
    text = [HEADINGS[looped], "", when, HOW[looped], "",
            "| program | workload | ways | the service counted | difference |", "|---|---|---|---|---|"]  # fmt: skip
    last = ""
    for line in lines(rows):
        name = f"{line.program} {found.get(apps[line.program].packages[0], '')}".strip() if line.program != last else ""
        last = line.program
        text.append(f"| {name} | {line.workload} | {line.ways} | {line.counted} | {line.difference} |")
    return "\n".join(text) + "\n"


def lines(rows: Iterable[Row]) -> list[Line]:
    """The rows of a title as one."""
    by_title: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_title.setdefault((row.workload.app, row.workload.title), []).append(row)
    made = []
    for (program, title), some in by_title.items():
        total: dict[str, int] = {}
        for row in some:
            for what, number in row.outcomes["joyride"].counted.items():
                total[what] = total.get(what, 0) + number
        counted = ", ".join(f"{number} {what}" for what, number in total.items() if number) or "nothing"
        ways = ", ".join(row.workload.way for row in some if row.workload.way != "loopback")
        made.append(Line(program, plain(title), ways, counted, difference(some)))
    return made


def difference(rows: Iterable[Row]) -> str:
    """What the last column says."""
    said = []
    for row in rows:
        said += [plain(shorten(text.splitlines()[0], 90)) for text in row.complaints()]
        for key in row.known():
            said.append(f"[{plain(key)}](compatibility.md#{anchor(row.workload.known[key])})")
    return "; ".join(said) or "none"


def anchor(heading: str) -> str:
    """The name that a heading is linked by."""
    return re.sub(r"[^a-z0-9-]", "", heading.lower().replace(" ", "-"))


def plain(text: str) -> str:
    """Text that a cell can hold."""
    return text.replace("|", "/").replace("<", "&lt;")


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Of Debian packages that are installed."""
    argv = ["dpkg-query", "-W", "-f", "${binary:Package} ${Version}\n", *sorted(packages)]
    out = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    found = (line.split() for line in out.splitlines() if " " in line)
    return {name.partition(":")[0]: version for name, version in found}
