# SPDX-License-Identifier: BSD-3-Clause
"""Python's own test suite: sockets, polling, asyncio, TLS, protocols, processes, threads, signals, multiprocessing."""

from __future__ import annotations

import re
from pathlib import Path

from .base import Job, Suite, merge

HOME = Path("/usr/lib/python3.11/test")
MODULES = """
    socket select selectors epoll poll socketserver ssl asyncore asynchat httpservers httplib http_cookiejar urllib
    urllib2 urllib2_localnet urllib_response ftplib smtplib smtpd poplib imaplib nntplib telnetlib xmlrpc docxmlrpc
    wsgiref robotparser logging subprocess signal threadsignals threading thread threading_local fork1 wait3 wait4 os
    posix pty openpty eintr fcntl ioctl file fileio io mmap resource sched tempfile queue concurrent_futures
    multiprocessing_fork multiprocessing_spawn multiprocessing_forkserver multiprocessing_main_handling syslog
    ipaddress getpass support faulthandler stat pathlib shutil popen pipes kqueue devpoll timeout largefile
"""
SCRIPT = Path(__file__).parents[1] / "apps/scripts/py_suite.py"
LONG = {"socket": 400, "ssl": 400, "multiprocessing_fork": 500, "multiprocessing_spawn": 600,
        "multiprocessing_forkserver": 600, "concurrent_futures": 600, "io": 400, "subprocess": 400}  # fmt: skip


def parse(text: str, _code: int) -> dict[str, str]:
    """The script's lines: "@ start", "@ ok" and so on before the test's name."""
    begun: dict[str, str] = {}
    found: dict[str, str] = {}
    for word, test in re.findall(r"^@ (start|ok|skipped|failed) (.+)$", text, re.MULTILINE):
        name = re.sub(r"0x[0-9a-f]+", "0x…", test)
        if word == "start":
            begun[name] = "hung"
        else:
            merge(found, name, word)
    return begun | found


def unittests(python: str, name: str, timeout: float) -> Job:
    """A job that runs a module's unit tests and tells of each."""
    return Job(name, f"cd /tmp && exec {python} {SCRIPT} - {name} 2>&1", timeout, parse)


def jobs(_tree: Path) -> list[Job]:
    """A job for each module."""
    asyncio = [f"asyncio.{path.stem}" for path in sorted((HOME / "test_asyncio").glob("test_*.py"))]
    names = [*MODULES.split(), *asyncio]
    return [
        unittests("/usr/bin/python3", f"test.test_{name}", LONG.get(name, 240))
        for name in names
        if (HOME / f"test_{name.replace('.', '/')}.py").exists()
    ]


Suite("python", jobs, packages=("libpython3.11-testsuite", "python3"))
