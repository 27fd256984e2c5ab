# SPDX-License-Identifier: BSD-3-Clause
"""Makes docs/rfc-coverage.md: which packet script or test in C is about which section of which RFC, and what runs it.

    python3 -m ci.rfc_coverage --write   write it
    python3 -m ci.rfc_coverage           say whether it is as it would be written, and what is missing

A script says in its first lines `// title:`, `// rfc: 9293 3.5; 7323 2.2` and `// kernel: same` or `differs (why)`.
What the scripts' language can't say, a test in C does, with `/* rfc: 826 */` on the line above its `..._TEST(name)`.
What is no RFC's is named by its manual page or standard: `udp(7) UDP_SEGMENT`, `802.1Q 9`.
tests/packet/drill/wanted.toml lists the sections that must have one of the two.
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
OTHER = r"(\w+\(\d\)|802\.1Q)"
NOT_RUN = {"bad", "fail"}
HEAD = """# What the packet scripts cover

Made by `python3 -m ci.rfc_coverage --write` from the first lines of
[the scripts](../tests/packet/drill/README.md). Every script runs against the engine as a test of its own
(`meson test --suite packet`); those marked *kernel* are also replayed against Linux (`tests/netns/test_drill.py`)
and must pass there too. `file: name` is a test in C, where the scripts' language can't say it: link addresses,
multicast groups, many connections at once.

| RFC | Section | What | Scripts |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Script:
    """One script's header, or what stands above a test in C."""

    name: str
    path: str
    title: str
    rfcs: tuple[tuple[str, str], ...]
    kernel: bool


def sort_key(section: str) -> tuple[int, ...]:
    """Sections in the order of a table of contents."""
    return tuple(int(n) for n in re.findall(r"\d+", section))


def repo_path(path: Path) -> str:
    """A file's path for a link."""
    return path.relative_to(REPO).as_posix() if path.is_relative_to(REPO) else path.name


def place(rfc: str, section: str) -> tuple[int, str, tuple[int, ...], str]:
    """RFCs by number, then the rest."""
    return (int(rfc), "", sort_key(section), "") if rfc.isdigit() else (1 << 30, rfc, (), section)


def items(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """What an `rfc:` line names, and what of it makes no sense."""
    found, wrong = [], []
    for item in filter(None, (part.strip() for part in text.split(";"))):
        match = re.fullmatch(r"(\d+)(?: ([\dA-F]+(?:\.\d+)*))?", item) or re.fullmatch(OTHER + r" (.+)", item)
        if match:
            found.append((match[1], match[2] or ""))
        else:
            wrong.append(f"'{item}' is no RFC and section")
    return found, wrong


def read(path: Path) -> tuple[Script, list[str]]:
    """A script's header, and what is wrong with it."""
    name = f"{path.parent.name}/{path.stem}"
    fields = dict(re.findall(r"^// (title|rfc|kernel): (.+)$", path.read_text(), re.MULTILINE))
    wrong = [f"{name}: no '// {field}:' line" for field in ("title", "rfc", "kernel") if field not in fields]
    rfcs, senseless = items(fields.get("rfc", ""))
    wrong += [f"{name}: {line}" for line in senseless]
    kernel = fields.get("kernel", "")
    if kernel and not re.fullmatch(r"same|differs \(.+\)", kernel):
        wrong.append(f"{name}: kernel: '{kernel}' is neither 'same' nor 'differs (why)'")
    where = repo_path(path)
    return Script(name, where, fields.get("title", ""), tuple(rfcs), kernel == "same"), wrong


def read_tests(path: Path) -> tuple[list[Script], list[str]]:
    """The tests of a C file that say what they are about, and what is wrong with that."""
    where = repo_path(path)
    tests, wrong, text = [], [], path.read_text()
    for line in re.finditer(r"^/\* rfc: (.+?) \*/\n(?:[A-Z_]+_TEST\((\w+)\b)?", text, re.MULTILINE):
        rfcs, senseless = items(line[1])
        wrong += [f"{where}: {what}" for what in senseless]
        if line[2]:
            name = f"{path.parent.name}/{path.stem}: {line[2]}"
            tests.append(Script(name, where, line[2].replace("_", " "), tuple(rfcs), False))
        else:
            wrong.append(f"{where}: no test follows '{line[1]}'")
    return tests, wrong


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
    for (rfc, section), of in sorted(rows.items(), key=lambda row: place(*row[0])):
        links = (f"[{s.name}](../{s.path}){' *kernel*' if s.kernel else ''}" for s in of)
        lines.append(
            f"| {rfc} | {section} | {what.get((rfc, section), of[0].title if of else '')} | {', '.join(links)} |"
        )
    return HEAD + "\n".join(lines) + "\n", missing


def check() -> tuple[str, list[str]]:
    """The page of all scripts, and all that is wrong with their headers or missing."""
    read_all = [read(path) for path in sorted(SCRIPTS.glob("*/*.pkt")) if path.parent.name not in NOT_RUN]
    in_c = [read_tests(path) for root in ("netsvc", "tests") for path in sorted((REPO / root).rglob("*_test.c"))]
    text, missing = page([script for script, _ in read_all] + [test for tests, _ in in_c for test in tests])
    return text, [line for _, wrong in [*read_all, *in_c] for line in wrong] + missing


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
