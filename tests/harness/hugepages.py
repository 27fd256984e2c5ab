# SPDX-License-Identifier: BSD-3-Clause
"""Huge pages: the service takes and gives back its own; this makes sure, however it ended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from . import cleanup

NR_HUGEPAGES = Path("/proc/sys/vm/nr_hugepages")


@contextlib.contextmanager
def restored() -> Iterator[int]:
    """Set the number of huge pages back at the end.

    Yields:
        the number.
    """
    before = count()
    undo = cleanup.defer(lambda: _set(before))
    try:
        yield before
    finally:
        undo()


def count() -> int:
    """How many huge pages the machine has set aside."""
    return int(NR_HUGEPAGES.read_text())


def _set(wanted: int) -> None:
    with contextlib.suppress(OSError):
        if count() != wanted:
            NR_HUGEPAGES.write_text(str(wanted))
