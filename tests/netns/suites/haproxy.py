# SPDX-License-Identifier: BSD-3-Clause
"""HAProxy's regression tests, by Varnish's test program: many small servers and clients around it."""

from __future__ import annotations

import re
from pathlib import Path

from .base import Job, Suite, lines

CHUNK = 6
WORDS = {"passed": "ok", "skipped": "skipped"}


def version(text: str) -> tuple[int, ...]:
    """2.6.12 as numbers; "" is before any other."""
    return tuple(map(int, re.findall(r"\d+", text)))


def is_meant(path: Path, ours: tuple[int, ...]) -> bool:
    """Whether a test is for this release, as its REQUIRE_VERSION and REQUIRE_VERSION_BELOW say."""
    said = dict(re.findall(r"^#(REQUIRE_VERSION(?:_BELOW)?)=([\d.]+)", path.read_text(), re.MULTILINE))
    below = said.get("REQUIRE_VERSION_BELOW")
    return ours >= version(said.get("REQUIRE_VERSION", "")) and (below is None or ours < version(below))


def jobs(tree: Path) -> list[Job]:
    """A job for a few files of one folder."""
    found = []
    parse = lines(r"^#\s+top\s+TEST (?P<test>\S+) (?P<word>passed|FAILED|TIMED OUT|skipped)", WORDS)
    ours = version((tree / "VERSION").read_text())
    for folder in sorted(path for path in (tree / "reg-tests").iterdir() if path.is_dir()):
        names = sorted(str(path.relative_to(tree)) for path in folder.glob("*.vtc") if is_meant(path, ours))
        for first in range(0, len(names), CHUNK):
            some = " ".join(names[first : first + CHUNK])
            command = f"varnishtest -k -t 60 {some} 2>&1"
            found.append(Job(f"{folder.name}/{first // CHUNK + 1}", command, 370, parse))
    return found


Suite("haproxy", jobs, source="haproxy", build_deps=False, packages=("haproxy", "varnish"),
      env={"HAPROXY_PROGRAM": "/usr/sbin/haproxy"},
      leave_out={"*/http-check*.vtc": "servers have a tenth of a second to answer",
                 "*/h1_host_normalization.vtc": "two threads log requests in the order in which they run"})  # fmt: skip
