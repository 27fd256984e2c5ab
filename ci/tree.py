# SPDX-License-Identifier: BSD-3-Clause
"""What the checks of the tree share: its files and how a complaint is printed."""

from __future__ import annotations

import fnmatch
import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]


NOT_SOURCE = {".git", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache", "build", "__pycache__"}


def tracked(*patterns: str) -> list[Path]:
    """The project's files that match, relative to the repository.

    Those under version control and new ones that are not ignored; where git is not installed or this is no checkout,
    all files outside the folders that builds make.
    """
    argv = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    try:
        listed = subprocess.run(argv, cwd=REPO, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return _walked(patterns)
    return sorted({Path(line) for line in listed if (REPO / line).is_file()})


def _walked(patterns: tuple[str, ...]) -> list[Path]:
    """As git's patterns without git: `*` also matches `/`."""
    found = []
    for folder, below, names in os.walk(REPO):
        below[:] = [name for name in below if name not in NOT_SOURCE and not name.endswith(".egg-info")]
        found += [Path(folder, name).relative_to(REPO) for name in names]
    if patterns:
        found = [path for path in found if any(fnmatch.fnmatch(str(path), pattern) for pattern in patterns)]
    return sorted(found)


def finish(what: str, complaints: list[str]) -> None:
    """Print the complaints and end with 1 if there are any, else say that all is well."""
    for line in complaints:
        print(line, file=sys.stderr)
    if complaints:
        print(f"{what}: {len(complaints)} complaints", file=sys.stderr)
        sys.exit(1)
    print(f"{what}: fine")
