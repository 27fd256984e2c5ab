# SPDX-License-Identifier: BSD-3-Clause
"""Replays the packet scripts whose header says `kernel: same` against the Linux kernel, as an oracle.

drill makes a network namespace and a TUN device of its own; the scripts and their language are in tests/packet/drill.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from harness import service

SCRIPTS = Path(__file__).resolve().parent.parent / "packet/drill"
SAME = sorted(p for p in SCRIPTS.glob("*/*.pkt") if "\n// kernel: same" in p.read_text())


def drill() -> Path | None:
    """The program, in the build that the service comes from; None: not built."""
    path = service.BINARY.resolve().parents[2] / "tests/packet/drill/drill"
    return path if path.exists() else None


@pytest.mark.netns
@pytest.mark.parametrize("script", SAME, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_kernel_does_the_same(script: Path) -> None:
    """Run a script against the kernel: what it says must be no peculiarity of the engine."""
    program = drill()
    if program is None:
        pytest.skip("drill is not built")
    done = subprocess.run(
        [str(program), "--kernel", str(script)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
