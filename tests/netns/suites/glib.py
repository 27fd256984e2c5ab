# SPDX-License-Identifier: BSD-3-Clause
"""GLib's installed tests of sockets, resolvers, streams, D-Bus, the main loop, processes and threads."""

from __future__ import annotations

from pathlib import Path

from .base import Job, Suite, tap

INSTALLED = Path("/usr/libexec/installed-tests/glib")
TESTS = """
    application-command-line async-close-output-stream async-splice-output-stream asyncqueue basic-application
    buffered-input-stream buffered-output-stream gdbus-* gsocketclient-slow inet-address io-channel io-channel-basic
    io-stream mainloop network-address network-monitor network-monitor-race pollable proxy-test resolver-parsing
    simple-async-result simple-proxy sleepy-stream socket socket-address socket-listener socket-service spawn-*
    stream-rw_all tls-bindings tls-certificate tls-database tls-interaction unix unix-fd unix-streams thread* cond
    mutex rec-mutex rwlock task timeout gsubprocess cancellable socket-testclient socket-testserver
    unix-multithreaded win32 onceinit private fileutils getpwuid-preload actions contexts dbus-appinfo
"""


def jobs(_tree: Path) -> list[Job]:
    """A job for each program that GNOME's test runner would run."""
    described = {path.stem for path in Path("/usr/share/installed-tests/glib").glob("*.test")}
    found = []
    for name in sorted({path.name for pattern in TESTS.split() for path in INSTALLED.glob(pattern)} & described):

        def named(text: str, code: int, name: str = name) -> dict[str, str]:
            return {f"{name}: {test}": word for test, word in tap(text, code).items()}

        preload = f"LD_PRELOAD={INSTALLED}/slow-connect-preload.so " if name == "gsocketclient-slow" else ""
        command = f"cd /tmp && {preload}dbus-run-session -- {INSTALLED / name} --tap 2>&1"
        found.append(Job(name, command, 120, named))
    return found


Suite("glib", jobs, packages=("libglib2.0-tests", "dbus-daemon"), env={"G_TEST_SRCDIR": str(INSTALLED),
      "G_TEST_BUILDDIR": str(INSTALLED)})  # fmt: skip
