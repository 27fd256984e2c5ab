# SPDX-License-Identifier: BSD-3-Clause
"""Prints the scripts of this folder's folders, for the build."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Print one path a line, relative to this folder; those under bad/ and fail/ are not to pass."""
    for path in sorted(HERE.glob("*/*.pkt")):
        if path.parent.name not in ("bad", "fail"):
            print(path.relative_to(HERE))


if __name__ == "__main__":
    main()
