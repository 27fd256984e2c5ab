# SPDX-License-Identifier: BSD-3-Clause
"""Ruby's tests of sockets, HTTP, IO, processes and signals, with the distribution's ruby."""

from __future__ import annotations

import re
from pathlib import Path

from .base import Job, Suite

FILES = ("test/socket/test_*.rb", "test/net/*/test_*.rb", "test/drb/test_*.rb", "test/openssl/test_ssl*.rb",
         "test/ruby/test_io.rb", "test/ruby/test_io_m17n.rb", "test/ruby/test_process.rb", "test/ruby/test_signal.rb",
         "test/ruby/test_thread*.rb", "test/ruby/test_io_timeout.rb", "test/io/*/test_*.rb", "test/fiber/test_*.rb",
         "test/resolv/test_*.rb", "test/rinda/test_*.rb", "test/open-uri/test_*.rb", "test/webrick/test_*.rb",
         "test/test_open3.rb", "test/test_pty.rb")  # fmt: skip
RUN = "ruby -I tool/lib test/runner.rb --no-retry -v --show-skip"
RAN = re.compile(r"^\[ *\d+/\d+\] (\S+#\S+) = [\d.]+ s", re.MULTILINE)
TOLD = re.compile(r"^ +\d+\) (Failure|Error|Skipped):\n(\S+#\w+[?!=]?)", re.MULTILINE)


def parse(text: str, _code: int) -> dict[str, str]:
    """A line for each test that ran, and at the end what is not well with some of them."""
    found = dict.fromkeys(RAN.findall(text), "ok")
    for said, test in TOLD.findall(text):
        found[test] = "skipped" if said == "Skipped" else "failed"
    return found


def jobs(tree: Path) -> list[Job]:
    """A job for each file."""
    names = [path.relative_to(tree) for pattern in FILES for path in sorted(tree.glob(pattern))]
    return [Job(str(n), f"{RUN} {n} 2>&1", 120, parse) for n in names]


Suite("ruby", jobs, source="ruby3.1", build_deps=False, packages=("ruby", "ruby-dev"), copy=True)
