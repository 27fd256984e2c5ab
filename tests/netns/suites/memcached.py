# SPDX-License-Identifier: BSD-3-Clause
"""memcached's own tests: the text and binary protocols over TCP and UDP, limits, restarts."""

from __future__ import annotations

from pathlib import Path

from .base import Job, Suite, tap

LEAVE = ("ssl_", "64bit", "issue_67", "lru", "slab", "extstore", "chunked", "stress")  # no stack in it, or minutes long
LONG = {"restart": 300, "watcher": 300, "maxconns": 300}  # up to 260,000 round trips, or 2048 programs started


def jobs(tree: Path) -> list[Job]:
    """A job for each file."""
    found = []
    for path in sorted((tree / "t").glob("*.t")):
        if any(word in path.name for word in LEAVE):
            continue

        def named(text: str, code: int, name: str = path.stem) -> dict[str, str]:
            return {f"{name}: {test}": word for test, word in tap(text, code).items()}

        found.append(Job(path.stem, f"perl -I t/lib t/{path.name} 2>&1", LONG.get(path.stem, 90), named))
    return found


BUILD = """
sed -i 's/my $unix_socket_disabled *=.*/my $unix_socket_disabled = 1;/' t/lib/MemcachedTest.pm
./configure -q
make -j "$JOBS" memcached memcached-debug timedrun sizes
"""

Suite("memcached", jobs, source="memcached", build=BUILD, copy=True)
