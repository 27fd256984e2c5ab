# SPDX-License-Identifier: BSD-3-Clause
"""Tcl's tests of sockets, channels, events, HTTP and processes, with the distribution's tclsh."""

from __future__ import annotations

from pathlib import Path

from .base import Job, Suite, lines

FILES = """
    socket io ioCmd ioTrans iogt chan chanio event exec fileName http http11 httpPipeline httpold pid
    zlib safe timer unixForkEvent unixNotfy unixFCmd unixFile unixInit source winPipe async notify
"""


def jobs(tree: Path) -> list[Job]:
    """A job for each file."""
    found = []
    parse = lines(r"^(?:\+\+\+\+|====) (?P<test>\S+-\S+)(?: .*)? (?P<word>PASSED|SKIPPED|FAILED)\b",
                  {"PASSED": "ok", "SKIPPED": "skipped"})  # fmt: skip
    for name in FILES.split():
        if (tree / f"tests/{name}.test").exists():
            found.append(Job(name, f"cd tests && tclsh8.6 {name}.test -verbose ps 2>&1", 240, parse))
    return found


Suite("tcl", jobs, source="tcl8.6", build_deps=False, packages=("tcl8.6",), copy=True)
