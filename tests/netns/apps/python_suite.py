# SPDX-License-Identifier: BSD-3-Clause
"""The network part of Python's own test suite (libpython3.11-testsuite), test by test, on both libcs.

Its sockets are mostly bound to 127.0.0.1, which is the kernel's unless `loopback = "service"`; what is tested here
then is that the patched libc leaves them alone, and everything around sockets: fork, exec, threads, signals, polling.
"""

from __future__ import annotations

import contextlib
from typing import Any

from .base import PYTHON, App, NotReady, Scene, run_to_end

APP = App("python-suite", packages=["libpython3.11-testsuite", "python3"],
          needs=["/usr/lib/python3.11/test/test_socket.py", "python3"])  # fmt: skip
MODULES = {
    "polling": ("test_select", "test_selectors", "test_epoll", "test_poll"),
    "socket": ("test_socket",),
    "asyncio": ("test_asyncio",),
    "ssl": ("test_ssl",),
    "servers": ("test_socketserver", "test_httpservers", "test_asyncore", "test_asynchat"),
    "clients": ("test_urllib", "test_urllib2", "test_urllib2_localnet", "test_ftplib", "test_smtplib", "test_smtpd",
                "test_xmlrpc", "test_poplib", "test_imaplib", "test_nntplib", "test_telnetlib"),
    "processes": ("test_subprocess", "test_fork1", "test_signal", "test_wait3", "test_wait4", "test_os"),
    "threads": ("test_threading", "test_threading_local"),
    "multiprocessing": ("test_multiprocessing_fork", "test_multiprocessing_main_handling"),
}  # fmt: skip


def outcomes(text: str) -> dict[str, str]:
    """What became of each test; "hung" for one that began only."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        word, _, test = line.partition(" ")
        if word == "start":
            found[test] = "hung"
        elif word != "end" and found.get(test) != "failed":
            found[test] = word
    return found


def run(scene: Scene, names: tuple[str, ...], timeout: float) -> dict[str, str]:
    """Modules or single tests."""
    results = scene.path("results")
    results.write_text("")
    argv = [PYTHON, scene.script("py_suite.py"), results, *(f"test.{name.removeprefix('test.')}" for name in names)]
    with contextlib.suppress(NotReady):
        run_to_end(scene.host, argv, timeout=timeout, env={"TMPDIR": str(scene.folder)})
    return outcomes(results.read_text())


def play(scene: Scene, names: tuple[str, ...]) -> dict[str, Any]:
    """All of some modules; what failed gets a second chance alone, since some of them depend on time."""
    found = run(scene, names, 240)
    again = [test for test, word in found.items() if word in ("failed", "hung") and "." in test and " " not in test]
    for test in again[:20]:
        found |= run(scene, (test,), 60)
    facts: dict[str, Any] = {test: word for test, word in found.items() if word != "ok"}
    return {**facts, "ok": sum(word == "ok" for word in found.values())}


def enter(title: str, names: tuple[str, ...]) -> None:
    """A workload of some modules."""

    def workload(scene: Scene) -> dict[str, Any]:
        return play(scene, names)

    APP.workload(title, ways=("local",), carries="maybe", timeout=420)(workload)


for _title, _names in MODULES.items():
    enter(_title, _names)
