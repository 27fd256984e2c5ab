# SPDX-License-Identifier: BSD-3-Clause
"""Network libraries from PyPI that bring their tests along: Twisted, Tornado, gevent, trio."""

from __future__ import annotations

import re
from pathlib import Path

from .base import Job, Suite, lines, merge
from .python import unittests

PACKAGES = "venv/lib/python3*/site-packages"
TWISTED = """
    internet.test.test_tcp internet.test.test_udp internet.test.test_unix internet.test.test_tls
    internet.test.test_endpoints internet.test.test_process internet.test.test_socket internet.test.test_stdio
    internet.test.test_threads internet.test.test_epollreactor internet.test.test_fdset internet.test.test_base
    internet.test.test_core internet.test.test_posixbase internet.test.test_sigchld internet.test.test_default
    test.test_tcp test.test_udp test.test_unix test.test_ssl test.test_process test.test_tcp_internals
    test.test_internet test.test_stdio web.test.test_http web.test.test_web web.test.test_webclient
    web.test.test_agent web.test.test_wsgi mail.test.test_smtp mail.test.test_imap mail.test.test_pop3client
    names.test.test_client names.test.test_names conch.test.test_conch protocols.test.test_tls
"""
TORNADO = """
    http1connection httpclient httpserver httputil ioloop iostream netutil process queues resolve_test_helper
    routing simple_httpclient tcpclient tcpserver testing web websocket wsgi concurrent asyncio curl_httpclient gen
    locks autoreload
"""
GEVENT_LEAVE = ("test__doctests", "test___ident", "test__example", "test__monkey_selectors", "test__threadpool_exec")


def trial(text: str, _code: int) -> dict[str, str]:
    """Twisted's tree of modules, classes and tests, "test_x ... [OK]" being a leaf."""
    found: dict[str, str] = {}
    where = ["", ""]
    for line in text.splitlines():
        if leaf := re.match(r"^    (test\w*) \.\.\..*?\[(\w+)\]", line):
            word = {"OK": "ok", "FAIL": "failed", "ERROR": "failed"}.get(leaf[2], "skipped")
            merge(found, f"{where[0]}.{where[1]}.{leaf[1]}", word)
        elif name := re.match(r"^( {0,2})([\w.]+)$", line):
            where[bool(name[1])] = name[2]
    return found


def twisted(_tree: Path) -> list[Job]:
    """A job for each module."""
    command = "cd /tmp && {venv}/bin/python -m twisted.trial --reporter=verbose twisted.{name} 2>&1"
    return [Job(n, command.format(venv=_tree / "venv", name=n), 240, trial) for n in TWISTED.split()]


def tornado(tree: Path) -> list[Job]:
    """A job for each module."""
    found = [f"tornado.test.{name}_test" for name in TORNADO.split()]
    return [unittests(str(tree / "venv/bin/python"), name, 120) for name in found]


def gevent(tree: Path) -> list[Job]:
    """A job for each file."""
    files = sorted(path.stem for path in tree.glob(f"{PACKAGES}/gevent/tests/test__*.py"))
    python = tree / "venv/bin/python"
    parse = lines(r"^(?P<word>ERROR|FAIL): (?P<test>\w+ \([\w.]+\))", {})

    def named(text: str, code: int) -> dict[str, str]:
        return {**parse(text, code), "the whole": "ok" if code == 0 else "failed"}

    def job(name: str) -> Job:
        def its(text: str, code: int) -> dict[str, str]:
            return {f"{name}: {test}": word for test, word in named(text, code).items()}

        return Job(name, f"cd /tmp && {python} -m gevent.tests.{name} -v 2>&1", 120, its)

    return [job(name) for name in files if not name.startswith(GEVENT_LEAVE)]


def trio(tree: Path) -> list[Job]:
    """A job for each file, by pytest."""
    words = {"PASSED": "ok", "SKIPPED": "skipped", "XFAIL": "skipped", "XPASS": "ok"}
    parse = lines(r"^(?P<test>\S+::.*?) (?P<word>PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS)", words)
    options = "-p trio._tests.pytest_plugin -p no:cacheprovider -v -o addopts= --color=no"
    files = [*tree.glob(f"{PACKAGES}/trio/_tests/test_*.py"), *tree.glob(f"{PACKAGES}/trio/_core/_tests/test_*.py")]
    python = tree / "venv/bin/python"
    return [
        Job(path.stem, f"cd /tmp && {python} -m pytest {options} {path} 2>&1", 240, parse)
        for path in sorted(files)
        if "windows" not in path.name
    ]


Suite("twisted", twisted, pypi=("twisted[tls]", "pyopenssl", "service-identity", "idna"))
Suite("tornado", tornado, pypi=("tornado",))
Suite("gevent", gevent, pypi=("gevent[test]",))
Suite("trio", trio, pypi=("trio", "pytest", "trustme", "pyopenssl", "astor", "jedi"))
