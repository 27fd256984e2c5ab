# SPDX-License-Identifier: BSD-3-Clause
"""The Apache Portable Runtime's tests: sockets, polling by every method, pipes, processes, threads, shared memory."""

from __future__ import annotations

import re
from pathlib import Path

from .base import Job, Parse, Suite, merge

BUILD = """
./configure -q --disable-shared
make -s -j "$JOBS"
cd test && make -s -j "$JOBS" all
"""
SUITES = """
    testsock testsockets testsockopt testpoll testipsub testpipe testproc testfile testdup testoc testud testthread
    testcond testlock testprocmutex testglobalmutex testshm testmmap testsleep testtime testtemp testuser testatomic
"""


def verdict(name: str) -> Parse:
    """Each test's name and dots are not told unless verbose: "name : SUCCESS" or the lines that failed."""

    def parse(text: str, _code: int) -> dict[str, str]:
        found: dict[str, str] = {}
        for word in re.findall(rf"^{name}\s*:.*?(SUCCESS|FAILED .*)$", text, re.MULTILINE | re.DOTALL):
            merge(found, name, "ok" if word == "SUCCESS" else "failed")
        for line, said in re.findall(r"^Line (\d+): (.*)$", text, re.MULTILINE):
            merge(found, f"{name}: line {line}: {re.sub('[0-9]+', 'N', said)}", "failed")
        return found

    return parse


def jobs(_tree: Path) -> list[Job]:
    """A job for each file of tests."""
    return [Job(name, f"cd test && ./testall -v {name} 2>&1", 120, verdict(name)) for name in SUITES.split()]


Suite("apr", jobs, source="apr", build=BUILD, copy=True)
