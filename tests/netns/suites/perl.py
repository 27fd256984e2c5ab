# SPDX-License-Identifier: BSD-3-Clause
"""Perl's own tests of sockets, IO, IPC and its protocol modules, with the distribution's perl."""

from __future__ import annotations

from pathlib import Path

from .base import Job, Suite, tap

FOLDERS = ("cpan/Socket", "cpan/IO-Socket-IP", "cpan/libnet", "cpan/HTTP-Tiny", "dist/IO", "dist/Net-Ping",
           "cpan/IPC-SysV", "ext/IPC-Open3", "cpan/IPC-Cmd", "ext/POSIX", "dist/threads",
           "cpan/Sys-Syslog")  # fmt: skip


def jobs(tree: Path) -> list[Job]:
    """A job for each file, and perl's core tests of its socket functions."""
    found = []
    for folder in FOLDERS:
        for path in sorted((tree / folder / "t").glob("*.t")):

            def named(text: str, code: int, name: str = f"{folder}/{path.stem}") -> dict[str, str]:
                return {f"{name}: {test}": word for test, word in tap(text, code).items()}

            command = f"cd {folder} && perl -I t -I ../../t/lib t/{path.name} 2>&1"
            found.append(Job(f"{folder}/{path.stem}", command, 90, named))
    return found


Suite("perl", jobs, source="perl", build_deps=False, packages=("perl", "libtest-simple-perl"), copy=True,
      leave_out={"ext/POSIX/sigset: *": "signals chosen by chance", "*HiC_*": "named by process id"})  # fmt: skip
