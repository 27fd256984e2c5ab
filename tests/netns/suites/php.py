# SPDX-License-Identifier: BSD-3-Clause
"""PHP's tests of sockets, streams, HTTP and FTP, its own web server, processes and TLS, with the distribution's php."""

from __future__ import annotations

from pathlib import Path

from .base import Job, Suite, lines

FOLDERS = """
    ext/sockets/tests ext/standard/tests/network ext/standard/tests/streams ext/standard/tests/http
    ext/standard/tests/general_functions/proc_open* ext/pcntl/tests ext/posix/tests ext/openssl/tests ext/ftp/tests
    ext/soap/tests/bugs ext/curl/tests sapi/cli/tests sapi/fpm/tests tests/output ext/standard/tests/filters
"""
CHUNK = 8
WORDS = {"PASS": "ok", "SKIP": "skipped", "XFAIL": "skipped", "BORK": "skipped"}
LINE = r"^(?:TEST .*\r)?(?P<word>PASS|FAIL|SKIP|XFAIL|BORK|WARN|LEAK) .*\[(?P<test>\S+\.phpt)\]"


def tests(tree: Path, pattern: str) -> list[str]:
    """What a pattern of folders and files has."""
    places = [path for place in tree.glob(pattern) for path in (place.rglob("*") if place.is_dir() else [place])]
    return sorted(str(path.relative_to(tree)) for path in places if path.suffix == ".phpt")


def jobs(tree: Path) -> list[Job]:
    """A job for a few tests of one folder."""
    found = []
    for folder in FOLDERS.split():
        names = tests(tree, folder)
        for first in range(0, len(names), CHUNK):
            some = " ".join(names[first : first + CHUNK])
            command = f"php8.2 run-tests.php -q --no-color -p $(which php8.2) --set-timeout 60 {some} 2>&1"
            found.append(Job(f"{folder}/{first // CHUNK + 1}", command, 300, lines(LINE, WORDS)))
    return found


Suite("php", jobs, source="php8.2", build_deps=False, packages=("php8.2-cli",), copy=True)
