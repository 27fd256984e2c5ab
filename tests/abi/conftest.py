# SPDX-License-Identifier: BSD-3-Clause
"""The patched libc under test: the folder in JOYRIDE_LIBC_DIR (or JOYRIDE_LIBC), with ld.so and libc.so.6 in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def libc_dir() -> Path:
    """The folder of the built libc; its tests are skipped where none is named."""
    name = os.environ.get("JOYRIDE_LIBC_DIR") or os.environ.get("JOYRIDE_LIBC")
    if not name:
        pytest.skip("JOYRIDE_LIBC_DIR names no built libc (python3 -m ci.libc install --prefix DIR)")
    folder = Path(name).resolve()
    assert (folder / "ld.so").is_file(), f"no ld.so in {folder}"
    assert (folder / "libc.so.6").is_file(), f"no libc.so.6 in {folder}"
    return folder
