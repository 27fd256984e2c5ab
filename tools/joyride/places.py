# SPDX-License-Identifier: BSD-3-Clause
"""Where the service's sockets and the patched libc are, unless the user says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

RUN_DIR = Path("/run/joyride")
PREFIX = Path("/opt/joyride")
_IN_TREE = Path(__file__).resolve().parents[2] / "build/opt-joyride"


def run_dir() -> Path:
    """The service's folder: that of JOYRIDE_SOCKET, if set."""
    control = os.environ.get("JOYRIDE_SOCKET")
    return Path(control).parent if control else RUN_DIR


def libc_prefix() -> Path:
    """The folder with ld.so and libc.so.6: JOYRIDE_LIBC, /opt/joyride, or what this source tree has built."""
    told = os.environ.get("JOYRIDE_LIBC")
    if told:
        return Path(told)
    if not (PREFIX / "ld.so").exists() and (_IN_TREE / "ld.so").exists():
        return _IN_TREE
    return PREFIX
