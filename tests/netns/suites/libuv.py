# SPDX-License-Identifier: BSD-3-Clause
"""libuv's own tests: sockets, pipes, processes, signals, files, polling, on one event loop."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .base import Job, Suite, tap

BUILD = """
sh autogen.sh
./configure -q --disable-shared
make -j "$JOBS" test/run-tests
"""
ENV = {"UV_TEST_TIMEOUT_MULTIPLIER": "6", "UV_RUN_AS_ROOT": "1"}


def jobs(tree: Path) -> list[Job]:
    """A job for each test: they share ports."""
    argv = [str(tree / "test/run-tests"), "--list"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env={**os.environ, **ENV})
    names = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return [Job(name, f"test/run-tests {name}", 60, tap) for name in names]


Suite("libuv", jobs, source="libuv1", build=BUILD, env=ENV, copy=True)
