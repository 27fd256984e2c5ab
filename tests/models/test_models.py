# SPDX-License-Identifier: BSD-3-Clause
"""Sleeping and waking, searched through by spin: no wake-up is lost, nothing is told twice; and each mutation is found.

JOYRIDE_MODELS=full searches larger bounds: `nox -s model`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
FULL = os.environ.get("JOYRIDE_MODELS") == "full"
DEPTH = 200_000


@dataclass(frozen=True)
class Search:
    """One model with some macros defined, the claims that must hold and those that must be found broken."""

    model: str
    defines: str = ""
    hold: str = ""
    broken: str = ""
    full: bool = False  # only in the full search

    def __str__(self) -> str:
        return "-".join([self.model, *re.findall(r"[A-Z_]+(?:=\d+)?", self.defines)])


SEARCHES = [
    Search("futex", hold="nobody_sleeps_for_ever woken_on_request"),
    Search("futex", "NO_FENCE", broken="nobody_sleeps_for_ever"),
    Search("futex", "NO_LOOK", broken="nobody_sleeps_for_ever"),
    Search("futex", "LATE_SEQ", broken="nobody_sleeps_for_ever", full=True),
    Search("futex", "ANSWER_AGAIN", broken="woken_on_request"),
    Search("doorbell", "THREADS=2", hold="all_taken rung_once"),
    Search("doorbell", hold="all_taken rung_once", full=True),
    Search("doorbell", "NO_FENCE THREADS=2", broken="all_taken"),
    Search("doorbell", "NO_SCAN THREADS=2", broken="all_taken"),
    Search("doorbell", "RUNG_FLAG THREADS=2", broken="all_taken", full=True),
    Search("doorbell", "NOTE_FIRST THREADS=2", broken="all_taken"),
    Search("doorbell", "RING_FIRST THREADS=2", broken="all_taken", full=True),
    Search("doorbell", "RING_ALWAYS THREADS=2", broken="rung_once"),
    Search("window", hold="all_read bounded"),
    Search("window", "TOTAL=24", hold="all_read bounded", full=True),
    Search("window", "LATE_FIRST", broken="all_read"),
    Search("window", "LATE_MARK", broken="all_read", full=True),
    Search("window", "NO_DIRTY", broken="all_read"),
    Search("listener", hold="all_accepted once_a_call"),
    Search("listener", "NO_FENCE", broken="all_accepted"),
    Search("listener", "NO_LOOK FROM_KERNEL=0", broken="all_accepted"),
    Search("listener", "NO_SHADOW", broken="all_accepted"),
    Search("listener", "SERVICE_ONLY", broken="all_accepted"),
    Search("listener", "NO_BATCH", broken="once_a_call"),
    Search("epoll", "ITEMS=2", hold="all_handled"),
    Search("epoll", hold="all_handled", full=True),
    Search("epoll", "EDGE ITEMS=2", hold="all_handled no_more_than_due"),
    Search("epoll", "EDGE", hold="all_handled no_more_than_due", full=True),
    Search("epoll", "EDGE AGAIN", hold="all_handled no_more_than_due", full=True),
    Search("epoll", "ONCE ITEMS=2", hold="all_handled no_more_than_due", full=True),
    Search("epoll", "ONCE", hold="all_handled no_more_than_due", full=True),
    Search("epoll", "EDGE NO_FENCE", broken="all_handled"),
    Search("epoll", "NO_FENCE", broken="all_handled", full=True),
    Search("epoll", "NO_LOOK", broken="all_handled"),
    Search("epoll", "EDGE NO_LOOK", broken="all_handled", full=True),
    Search("epoll", "NO_PASS_ON", broken="all_handled"),
    Search("epoll", "EDGE NO_PASS_ON", broken="all_handled", full=True),
    Search("epoll", "EDGE NO_SEEN AGAIN ITEMS=2", broken="no_more_than_due"),
    Search("epoll", "ONCE NO_KICK", broken="all_handled", full=True),
]


def _errors(claim: str, folder: Path) -> int:
    """How many ways spin found to break the claim (it stops at the first)."""
    done = subprocess.run(
        ["./pan", "-a", "-f", f"-m{DEPTH}", "-N", claim], cwd=folder, capture_output=True, text=True, check=False
    )
    found = re.search(r"errors: (\d+)", done.stdout)
    assert found is not None, done.stdout
    assert "max search depth too small" not in done.stdout
    return int(found[1])


@pytest.mark.parametrize("search", [s for s in SEARCHES if FULL or not s.full], ids=str)
def test_model(search: Search, tmp_path: Path) -> None:
    assert shutil.which("spin"), "spin is missing: nox -s setup-machine installs it"
    defines = [f"-D{name}" for name in search.defines.split()]
    made = subprocess.run(
        ["spin", "-a", *defines, FOLDER / f"{search.model}.pml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (tmp_path / "pan.c").exists(), made.stdout
    # NFAIR: weak fairness for up to so many processes; what is not checked here only costs time.
    subprocess.run(["cc", "-O1", "-w", "-DNFAIR=3", "-DMEMLIM=2048", "-o", "pan", "pan.c"], cwd=tmp_path, check=True)
    for claim in search.hold.split():
        assert _errors(claim, tmp_path) == 0, f"{claim} does not hold"
    for claim in search.broken.split():
        assert _errors(claim, tmp_path) > 0, f"{claim} holds, though the protocol is broken: {search.defines}"
