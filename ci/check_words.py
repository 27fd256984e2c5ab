# SPDX-License-Identifier: BSD-3-Clause
"""Checks that nothing of a developer's machine, and no loose end, is left in the tree.

Absolute paths of somebody's home or scratch folder, credentials, conflict marks, and the marks people leave for later.
"""

from __future__ import annotations

import re

from ci.tree import REPO, finish, tracked

FORBIDDEN = {
    r"/home/[a-z]\w*/": "a path of somebody's home",
    r"/wor[k]/": "a path of somebody's machine",
    r"/tmp/[a-z]{2}/": "a path of somebody's scratch folder",
    r"\b(TODO|FIXME|XXX)\b": "a mark for later",
    r"^(<<<<<<<|>>>>>>>) ": "a conflict mark",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----": "a private key",
    r"\s+$": "white space at the end of a line",
}
SELF = "ci/check_words.py"
BINARY = {".png", ".svg", ".bin", ".pcap", ".pcapng", ".seed", ".xz", ".gz"}
KEEP_SPACE = {".patch"}


def main() -> None:
    """Check every text file."""
    found = []
    rules = [(re.compile(pattern, re.MULTILINE), why) for pattern, why in FORBIDDEN.items()]
    for path in tracked():
        if str(path) == SELF or path.suffix in BINARY or "corpus" in path.parts or "LICENSES" in path.parts:
            continue
        try:
            lines = (REPO / path).read_text().splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, 1):
            for rule, why in rules:
                if rule.search(line) and not (path.suffix in KEEP_SPACE and "white space" in why):
                    found.append(f"{path}:{number}: {why}: {line.strip()[:80]}")
    finish("words", found)


if __name__ == "__main__":
    main()
