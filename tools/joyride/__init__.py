# SPDX-License-Identifier: BSD-3-Clause
"""The `joyride` command. The file VERSION beside this one is the version of everything."""

from pathlib import Path

__version__ = Path(__file__).with_name("VERSION").read_text().strip()
