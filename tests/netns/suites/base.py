# SPDX-License-Identifier: BSD-3-Clause
"""What a suite is: where its sources come from, how they are built, and the jobs that its tests are run by.

A job is one command line. What it prints and its exit code become results, a word for each test: ok, failed, skipped,
hung, died. A suite's module makes a `Suite`; its name enters it into the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SUITES: dict[str, Suite] = {}
Parse = Callable[[str, int], dict[str, str]]


@dataclass(frozen=True)
class Job:
    """One command line of a suite."""

    name: str
    command: str  # for sh, in the suite's tree
    timeout: float = 60
    parse: Parse | None = None  # None: the exit code is the job's one result

    def results(self, text: str, code: int | None) -> dict[str, str]:
        """The word of each test; a job that ended before its first test is one test itself.

        Args:
            text: what it printed.
            code: its exit code, None when it ran too long.
        """
        found = self.parse(text, -1 if code is None else code) if self.parse else {}
        if code is None:
            return {**found, self.name: "hung"}
        if self.parse is None or not found:
            return {self.name: "ok" if code == 0 else "skipped" if code == 77 else "failed"}
        return {**found, self.name: "died"} if code < 0 or code > 128 else found


@dataclass(frozen=True)
class Suite:
    """A program's test suite.

    Attributes:
        name: by which it is selected.
        jobs: makes the jobs, given the folder where the suite was built.
        source: the Debian source package it is unpacked from.
        build_deps: whether to install the source package's build dependencies.
        packages: further Debian packages it needs.
        pypi: packages for a virtual environment (`venv` in the tree), without those that Debian's Python has.
        npm: packages for `node_modules` in the tree.
        build: for sh, in the tree, once.
        env: of the jobs.
        copy: each libc has a copy of the tree: for suites that write into it.
        known: tests (fnmatch) that are known to differ, and the heading in docs/compatibility.md that says why.
        leave_out: tests (fnmatch) that are not compared, and why: they measure the machine, not the stack.
    """

    name: str
    jobs: Callable[[Path], Sequence[Job]]
    source: str = ""
    build_deps: bool = True
    packages: Sequence[str] = ()
    pypi: Sequence[str] = ()
    npm: Sequence[str] = ()
    build: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    copy: bool = False
    known: Mapping[str, str] = field(default_factory=dict)
    leave_out: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Enter it into the catalogue."""
        SUITES[self.name] = self


_TAP = re.compile(r"^(not ok|ok)\s+\d*\s*(?:- )?([^#\n]*)(#\s*(?:skip|todo).*)?", re.IGNORECASE | re.MULTILINE)


def tap(text: str, _code: int) -> dict[str, str]:
    """Results in the Test Anything Protocol."""
    found: dict[str, str] = {}
    for said, test, note in _TAP.findall(text):
        word = "skipped" if note else "ok" if said.lower() == "ok" else "failed"
        name = re.sub(r"/tmp/\S+|0x[0-9a-f]+|\d{4,}|\b[A-Z]{30,}\b", "N", test).strip()
        merge(found, name or f"number {len(found) + 1}", word)
    return found


def lines(pattern: str, words: Mapping[str, str]) -> Parse:
    """Results by lines that match a pattern with the groups `test` and `word`.

    Args:
        pattern: a regular expression.
        words: what the suite's words mean; others are "failed".
    """
    expression = re.compile(pattern, re.MULTILINE)

    def parse(text: str, _code: int) -> dict[str, str]:
        found: dict[str, str] = {}
        for match in expression.finditer(text):
            merge(found, match["test"].strip(), words.get(match["word"], "failed"))
        return found

    return parse


def merge(found: dict[str, str], test: str, word: str) -> None:
    """Note a word for a test; of several of one name the worst counts."""
    order = ("ok", "skipped", "failed", "hung", "died")
    if test not in found or order.index(word) > order.index(found[test]):
        found[test] = word
