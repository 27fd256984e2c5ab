# SPDX-License-Identifier: BSD-3-Clause
"""libevent's regression tests, with epoll, poll and select underneath."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .base import Job, Parse, Suite, lines

BUILD = """
autoreconf -fi
./configure -q --disable-shared --disable-samples
make -j "$JOBS"
make -j "$JOBS" test/regress
"""
METHODS = ("epoll", "poll", "select")


def jobs(tree: Path) -> list[Job]:
    """A job for each group of tests and each way to wait."""
    done = subprocess.run([tree / "test/regress", "--list-tests"], capture_output=True, text=True, check=False)
    groups = sorted({line.split("/")[0].strip() for line in done.stdout.splitlines() if "/" in line})
    found = []
    for method in METHODS:
        others = " ".join(f"EVENT_NO{other.upper()}=1" for other in METHODS if other != method)
        parse = lines(r"^(?P<test>\S+/\S+): .*?(?P<word>OK|SKIPPED|DISABLED)?$", {"OK": "ok", "SKIPPED": "skipped"})

        def named(text: str, code: int, method: str = method, parse: Parse = parse) -> dict[str, str]:
            return {f"{method}: {test}": word for test, word in parse(text, code).items()}

        found += [Job(f"{method} {group}", f"{others} test/regress {group}/..", 240, named) for group in groups]
    return found


Suite("libevent", jobs, source="libevent", build=BUILD)
