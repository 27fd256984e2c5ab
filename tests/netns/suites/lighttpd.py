# SPDX-License-Identifier: BSD-3-Clause
"""lighttpd's tests: a server, requests good and bad, FastCGI and SCGI behind it."""

from __future__ import annotations

from pathlib import Path

from .base import Job, Parse, Suite, tap

BUILD = """
./configure -q --without-pcre2 --without-pcre --without-bzip2 --without-zlib
make -s -j "$JOBS"
make -s -C tests check TESTS=prepare.sh
"""


def named(name: str) -> Parse:
    """Results with the file's name before each test's."""
    return lambda text, code: {f"{name}: {test}": word for test, word in tap(text, code).items()}


def jobs(tree: Path) -> list[Job]:
    """A job for each file."""
    names = sorted(path.stem for path in (tree / "tests").glob("*.t"))
    command = "cd tests && sh ./wrapper.sh . .. ./{}.t 2>&1"
    return [Job(name, command.format(name), 120, named(name)) for name in names]


Suite("lighttpd", jobs, source="lighttpd", build_deps=False, build=BUILD, packages=("gcc", "make"), copy=True)
