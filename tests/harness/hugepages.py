# SPDX-License-Identifier: BSD-3-Clause
"""Huge pages for DPDK: taken for the time of a run, given back afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from . import cleanup

NR_HUGEPAGES = Path("/proc/sys/vm/nr_hugepages")
PAGE_BYTES = 2 << 20


@contextlib.contextmanager
def huge_pages(count: int) -> Iterator[int]:
    """Have at least `count` free 2 MiB pages while inside, if the machine gives them.

    Yields:
        how many are free: fewer than asked for, even 0, when memory is fragmented or the file can't be written.
    """
    before = _total()
    lacking = count - _meminfo("HugePages_Free")
    undo = None
    if lacking > 0:
        undo = cleanup.defer(lambda: _set(before))
        _set(before + lacking)
    try:
        yield _meminfo("HugePages_Free")
    finally:
        if undo:
            undo()


def _total() -> int:
    return int(NR_HUGEPAGES.read_text())


def _set(count: int) -> None:
    with contextlib.suppress(OSError):
        NR_HUGEPAGES.write_text(str(count))


def _meminfo(key: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0
