# SPDX-License-Identifier: BSD-3-Clause
"""Runs the tools that make packages: quiet while they work, their last lines when they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path


class PackagingError(Exception):
    """Something is missing or failed; the text says what to do."""


def say(text: str) -> None:
    """A line of progress."""
    print(f"packages: {text}", flush=True)


def need(*tools: str, packages: str) -> None:
    """Raise PackagingError if a program is missing, naming the Debian packages that have them."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [tool for tool in tools if not shutil.which(tool, path=path)]
    if missing:
        raise PackagingError(f"{', '.join(missing)} not found: apt-get install {packages}")


def run(
    argv: list[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    what: str = "",
) -> str:
    """Run a command and return what it printed.

    With `what`, says so and how long it took; with `log`, the output is kept there. `env` is added to ours.
    Raises PackagingError with the last lines of output.
    """
    began = time.monotonic()
    if what:
        say(what)
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env={**os.environ, **env} if env else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout)
    if done.returncode:
        tail = "\n  ".join(done.stdout.splitlines()[-25:])
        raise PackagingError(f"{' '.join(map(str, argv))[:300]} ended with {done.returncode}:\n  {tail}")
    if what and time.monotonic() - began > 2:
        say(f"  {time.monotonic() - began:.0f} s")
    return done.stdout


def fail(text: str) -> int:
    """Print an error; the exit code."""
    print(f"packages: error: {text}", file=sys.stderr)
    return 1
