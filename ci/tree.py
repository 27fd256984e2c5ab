# SPDX-License-Identifier: BSD-3-Clause
"""What the checks of the tree share: its files and how a complaint is printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]


def tracked(*patterns: str) -> list[Path]:
    """The files under version control, and new ones that are not ignored, that match; relative to the repository."""
    argv = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(argv, cwd=REPO, capture_output=True, text=True, check=True)
    return sorted({Path(line) for line in listed.stdout.splitlines() if (REPO / line).is_file()})


def finish(what: str, complaints: list[str]) -> None:
    """Print the complaints and end with 1 if there are any, else say that all is well."""
    for line in complaints:
        print(line, file=sys.stderr)
    if complaints:
        print(f"{what}: {len(complaints)} complaints", file=sys.stderr)
        sys.exit(1)
    print(f"{what}: fine")
