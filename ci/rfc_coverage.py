# SPDX-License-Identifier: BSD-3-Clause
"""Makes docs/rfc-coverage.md: which packet script is about which section of which RFC, and what runs it.

    python3 -m ci.rfc_coverage --write   write it
    python3 -m ci.rfc_coverage           say whether it is as it would be written, and what is missing

A script says in its first lines `// title:`, `// rfc: 9293 3.5; 7323 2.2` and `// kernel: same` or `differs (why)`;
tests/packet/drill/wanted.toml lists the sections that must have one.
"""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ci.tree import REPO, finish

SCRIPTS = REPO / "tests/packet/drill"
PAGE = REPO / "docs/rfc-coverage.md"
NOT_RUN = {"bad", "fail"}
HEAD = """# What the packet scripts cover

Made by `python3 -m ci.rfc_coverage --write` from the first lines of
[the scripts](../tests/packet/drill/README.md). Every script runs against the engine as a test of its own
(`meson test --suite packet`); those marked *kernel* are also replayed against Linux (`tests/netns/test_drill.py`)
and must pass there too.

| RFC | Section | What | Scripts |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Script:
    """One script's header."""

    name: str
    title: str
    rfcs: tuple[tuple[str, str], ...]
    kernel: bool


def sort_key(section: str) -> tuple[int, ...]:
    """Sections in the order of a table of contents."""
    return tuple(int(n) for n in re.findall(r"\d+", section))


def read(path: Path) -> tuple[Script, list[str]]:
    """A script's header, and what is wrong with it."""
    name = f"{path.parent.name}/{path.stem}"
    fields = dict(re.findall(r"^// (title|rfc|kernel): (.+)$", path.read_text(), re.MULTILINE))
    wrong = [f"{name}: no '// {field}:' line" for field in ("title", "rfc", "kernel") if field not in fields]
    rfcs = []
    for item in filter(None, (part.strip() for part in fields.get("rfc", "").split(";"))):
        match = re.fullmatch(r"(\d+)(?: ([\dA-F]+(?:\.\d+)*))?", item)
        if match:
            rfcs.append((match[1], match[2] or ""))
        else:
            wrong.append(f"{name}: '{item}' is no RFC and section")
    kernel = fields.get("kernel", "")
    if kernel and not re.fullmatch(r"same|differs \(.+\)", kernel):
        wrong.append(f"{name}: kernel: '{kernel}' is neither 'same' nor 'differs (why)'")
    return Script(name, fields.get("title", ""), tuple(rfcs), kernel == "same"), wrong


def page(scripts: list[Script]) -> tuple[str, list[str]]:
    """The page, and the wanted sections that no script is about."""
    wanted = tomllib.loads((SCRIPTS / "wanted.toml").read_text())
    what = {(rfc, section): text for rfc, sections in wanted.items() for section, text in sections.items()}
    rows: dict[tuple[str, str], list[Script]] = {key: [] for key in what}
    for script in scripts:
        for key in script.rfcs:
            rows.setdefault(key, []).append(script)
    missing = [
        f"RFC {rfc} {section} ({what[rfc, section]}): no script" for (rfc, section), of in rows.items() if not of
    ]
    lines = []
    for (rfc, section), of in sorted(rows.items(), key=lambda row: (int(row[0][0]), sort_key(row[0][1]))):
        links = (f"[{s.name}](../tests/packet/drill/{s.name}.pkt){' *kernel*' if s.kernel else ''}" for s in of)
        lines.append(
            f"| {rfc} | {section} | {what.get((rfc, section), of[0].title if of else '')} | {', '.join(links)} |"
        )
    return HEAD + "\n".join(lines) + "\n", missing


def check() -> tuple[str, list[str]]:
    """The page of all scripts, and all that is wrong with their headers or missing."""
    read_all = [read(path) for path in sorted(SCRIPTS.glob("*/*.pkt")) if path.parent.name not in NOT_RUN]
    text, missing = page([script for script, _ in read_all])
    return text, [line for _, wrong in read_all for line in wrong] + missing


def main() -> None:
    """Write the page, or check it."""
    text, found = check()
    if "--write" in sys.argv[1:]:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        found.append(f"{PAGE.relative_to(REPO)} is out of date: run python3 -m ci.rfc_coverage --write")
    finish("rfc coverage", found)


if __name__ == "__main__":
    main()
