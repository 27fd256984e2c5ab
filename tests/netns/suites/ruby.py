# SPDX-License-Identifier: BSD-3-Clause
"""Ruby's tests of sockets, HTTP, IO, processes and signals, with the distribution's ruby."""

from __future__ import annotations

from pathlib import Path

from .base import Job, Suite, lines

FILES = ("test/socket/test_*.rb", "test/net/*/test_*.rb", "test/drb/test_*.rb", "test/openssl/test_ssl*.rb",
         "test/ruby/test_io.rb", "test/ruby/test_io_m17n.rb", "test/ruby/test_process.rb", "test/ruby/test_signal.rb",
         "test/ruby/test_thread*.rb", "test/ruby/test_io_timeout.rb", "test/io/*/test_*.rb", "test/fiber/test_*.rb",
         "test/resolv/test_*.rb", "test/rinda/test_*.rb", "test/open-uri/test_*.rb", "test/webrick/test_*.rb",
         "test/test_open3.rb", "test/test_pty.rb")  # fmt: skip


def jobs(tree: Path) -> list[Job]:
    """A job for each file."""
    parse = lines(
        r"^\[ *\d+/\d+\] (?P<test>\w+(?:::\w+)*#\w+) = [\d.]+ s(?P<word>(?: = [SFE])?)", {"": "ok", " = S": "skipped"}
    )
    names = [path.relative_to(tree) for pattern in FILES for path in sorted(tree.glob(pattern))]
    return [Job(str(n), f"ruby -I tool/lib test/runner.rb --no-retry -v {n} 2>&1", 120, parse) for n in names]


Suite("ruby", jobs, source="ruby3.1", build_deps=False, packages=("ruby", "ruby-dev"), copy=True,
      known={"TestSocket#test_connect_timeout": "A listener's full queue"})  # fmt: skip
