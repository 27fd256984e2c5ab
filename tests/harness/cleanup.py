# SPDX-License-Identifier: BSD-3-Clause
"""Undoing things on every way out, and removing what dead runs left behind."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType

_NAME = re.compile(r"^jr(\d+)-\d+")
_ETC_NETNS = Path("/etc/netns")
_sequence = itertools.count(1)
_pending: dict[int, Callable[[], None]] = {}
_armed = False


def unique(role: str) -> str:
    """A name for a namespace or folder that tells whose it is: jr<pid>-<n>-<role>."""
    return f"jr{os.getpid()}-{next(_sequence)}-{role}"


def defer(undo: Callable[[], None]) -> Callable[[], None]:
    """Have `undo` called at exit at the latest; returns a function that calls it now, once."""
    _arm()
    key = next(_sequence)
    owner = os.getpid()

    def once() -> None:
        if os.getpid() == owner and _pending.pop(key, None) is not None:
            undo()

    _pending[key] = undo
    return once


def remove_leftovers() -> list[str]:
    """Remove namespaces and folders of runs whose process is gone; returns their names."""
    removed = []
    listing = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    for name in (line.split()[0] for line in listing.splitlines() if line.strip()):
        if _is_orphan(name):
            delete_netns(name)
            removed.append(name)
    for folder in Path(tempfile.gettempdir()).glob("jr*"):
        if _is_orphan(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder.name)
    return removed


def delete_netns(name: str) -> None:
    """Kill, by pid, what still runs inside a namespace that a run made, then delete it."""
    pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False).stdout
    for pid in pids.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
    shutil.rmtree(_ETC_NETNS / name, ignore_errors=True)
    with contextlib.suppress(OSError):
        _ETC_NETNS.rmdir()


def _is_orphan(name: str) -> bool:
    match = _NAME.match(name)
    return match is not None and not Path("/proc", match[1]).exists()


def _arm() -> None:
    global _armed  # noqa: PLW0603 (once per process)
    if _armed:
        return
    _armed = True
    atexit.register(_run_pending)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _exit_on_signal)


def exit_once_on(*numbers: signal.Signals) -> None:
    """Have the first of these signals end the process; what comes while it cleans up is ignored."""

    def end(number: int, _frame: FrameType | None) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in numbers:
        signal.signal(number, end)


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _run_pending() -> None:
    for undo in reversed(list(_pending.values())):
        with contextlib.suppress(Exception):
            undo()
    _pending.clear()
