# SPDX-License-Identifier: BSD-3-Clause
"""What a package is called and when it was made: the version from meson.build, the time from the last commit."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
MAINTAINER = "The Joyride maintainers <joyride@localhost>"
PACKAGES = (
    "joyride",
    "joyride-dev",
    "joyride-libc",
    "joyride-libc-system",
    "joyride-netsvc",
    "joyride-tools",
)


def project_version() -> str:
    """The version in tools/joyride/VERSION, the one place that has it."""
    return (REPO / "tools/joyride/VERSION").read_text().strip()


def source_date() -> int:
    """SOURCE_DATE_EPOCH, else the time of the last commit, else of CHANGELOG.md: seconds since 1970."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told:
        return int(told)
    git = subprocess.run(
        ["git", "-c", "safe.directory=*", "log", "-1", "--format=%ct"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    return (
        int(git.stdout) if git.returncode == 0 and git.stdout.strip() else int((REPO / "CHANGELOG.md").stat().st_mtime)
    )


def rfc2822(seconds: int) -> str:
    """A time as debian/changelog wants it."""
    return format_datetime(datetime.fromtimestamp(seconds, UTC))
