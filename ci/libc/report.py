# SPDX-License-Identifier: BSD-3-Clause
"""How the build talks to people: steps, progress on a terminal or in a log, and errors that say what to do."""

from __future__ import annotations

import sys
import time


class BuildError(Exception):
    """Something the user can act on; shown without a traceback."""


def say(text: str) -> None:
    """One step, on a line of its own."""
    print(f"libc: {text}", flush=True)


class Progress:
    """Counts finished targets: one moving line on a terminal, a line every ten per cent in a log.

    Arguments: what is being built, and how many targets the last such build had (0 if not known).
    """

    def __init__(self, what: str, expected: int) -> None:
        self._what = what
        self._expected = expected
        self._count = 0
        self._shown = 0
        self._started = time.monotonic()
        self._tty = sys.stdout.isatty()

    @property
    def count(self) -> int:
        """Targets finished so far."""
        return self._count

    def step(self, target: str) -> None:
        """Note that `target` is finished."""
        self._count += 1
        percent = min(99, 100 * self._count // self._expected) if self._expected else None
        if self._tty:
            left = f"{percent:3d}%" if percent is not None else f"{self._count:5d}"
            print(f"\r\x1b[Klibc: [{left}] {self._what}: {target[-60:]}", end="", flush=True)
        elif percent is not None and percent >= self._shown + 10:
            self._shown = percent - percent % 10
            say(f"{self._what}: {self._shown}% ({self._count} targets, {time.monotonic() - self._started:.0f} s)")
        elif percent is None and self._count >= self._shown + 500:
            self._shown = self._count
            say(f"{self._what}: {self._count} targets, {time.monotonic() - self._started:.0f} s")

    def done(self) -> None:
        """Finish the moving line and say how long it took."""
        if self._tty:
            print("\r\x1b[K", end="")
        say(f"{self._what}: {self._count} targets in {time.monotonic() - self._started:.0f} s")
