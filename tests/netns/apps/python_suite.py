# SPDX-License-Identifier: BSD-3-Clause
"""The network part of Python's own test suite (libpython3.11-testsuite), test by test, on both libcs.

Its sockets are mostly bound to 127.0.0.1, which is the kernel's unless `loopback = "service"`; what is tested here
then is that the patched libc leaves them alone, and everything around sockets: fork, exec, threads, signals, polling.
It takes longer than all programs together, so it runs only when it is named; `nox -s suites` has more of it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.process import Process

from .base import PYTHON, App, Scene

APP = App("python-suite", packages=["libpython3.11-testsuite", "python3"],
          needs=["/usr/lib/python3.11/test/test_socket.py", "python3"], by_name=True)  # fmt: skip
AT_ONCE = 4
HOME = Path("/usr/lib/python3.11/test")
ASYNCIO = tuple(f"test_asyncio.{path.stem}" for path in sorted((HOME / "test_asyncio").glob("test_*.py")))
MODULES = {
    "sockets and polling": ("test_socket", "test_selectors", "test_select", "test_epoll", "test_poll"),
    "asyncio, ssl, servers": ("test_ssl", *ASYNCIO, "test_socketserver", "test_httpservers", "test_asyncore",
                              "test_asynchat"),
    "clients": ("test_ftplib", "test_imaplib", "test_poplib", "test_smtplib", "test_nntplib", "test_urllib",
                "test_urllib2", "test_urllib2_localnet", "test_smtpd", "test_xmlrpc", "test_telnetlib"),
    "processes, threads, signals": ("test_subprocess", "test_threading", "test_signal", "test_fork1", "test_os",
                                    "test_wait3", "test_wait4", "test_threading_local",
                                    "test_multiprocessing_main_handling"),
    "multiprocessing": ("test_multiprocessing_fork",),
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


def run(scene: Scene, names: Sequence[str], timeout: float) -> dict[str, str]:
    """Modules or single tests, some of them at once: most of their time they wait."""
    todo = list(names)
    running: dict[Path, Process] = {}
    ended: list[Path] = []
    end = time.monotonic() + timeout
    while todo or running:
        while todo and len(running) < AT_ONCE:
            name = todo.pop(0)
            folder = scene.path(f"{len(ended) + len(running)}-{name}")
            folder.mkdir()
            argv = [PYTHON, scene.script("py_suite.py"), folder, f"test.{name.removeprefix('test.')}"]
            running[folder] = scene.host.start(argv, env={"TMPDIR": str(folder)})
        late = time.monotonic() > end
        for folder, process in list(running.items()):
            if late or not process.running:
                process.stop()
                ended.append(folder)
                del running[folder]
        time.sleep(0.05)
    return outcomes("".join((folder / "results").read_text() for folder in ended if (folder / "results").exists()))


def play(scene: Scene, names: Sequence[str]) -> dict[str, Any]:
    """All of some modules; what failed gets a second chance alone, since some of them depend on time."""
    found = run(scene, names, 300)
    again = [test for test, word in found.items() if word in ("failed", "hung") and "." in test and " " not in test]
    for number, test in enumerate(again[:10]):
        (scene.path(f"again{number}")).mkdir()
        found |= run(replace(scene, folder=scene.path(f"again{number}")), [test], 40)
    facts: dict[str, Any] = {test: word for test, word in found.items() if word != "ok"}
    return {**facts, "ok": sum(word == "ok" for word in found.values())}


def enter(title: str, names: tuple[str, ...]) -> None:
    """A workload of some modules."""

    def workload(scene: Scene) -> dict[str, Any]:
        return play(scene, names)

    APP.workload(title, ways=("local",), carries="maybe", timeout=600)(workload)


for _title, _names in MODULES.items():
    enter(_title, _names)
