# SPDX-License-Identifier: BSD-3-Clause
"""Network libraries from PyPI whose tests are in their source archives: uvloop, aiohttp, AnyIO."""

from __future__ import annotations

from pathlib import Path

from .base import Job, Suite, lines

WORDS = {"PASSED": "ok", "SKIPPED": "skipped", "XFAIL": "skipped", "XPASS": "ok"}
PYTEST = lines(r"^(?P<test>\S+::.*?) (?P<word>PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS)\b", WORDS)
TESTS = r"""
venv/bin/pip download -q --no-deps --no-binary NAME -d archive NAME==VERSION
mkdir source && tar xf archive/* -C source --strip-components 1
mkdir run && cp -r source/tests run/
printf '[pytest]\n' > run/pytest.ini
"""


def sdist(name: str, version: str, files: str, *, options: str = "",
          pypi: tuple[str, ...] = ()) -> None:  # fmt: skip
    """A suite of the tests in a package's source archive, on the same version as installed from its wheel.

    Args:
        name: on PyPI.
        version: of it.
        files: of its tests, by their names without `test_`.
        options: for pytest.
        pypi: what the tests need.
    """

    def jobs(tree: Path) -> list[Job]:
        pytest = f"{tree}/venv/bin/python -m pytest -v --color=no -p no:cacheprovider {options}"
        command = f"cd run && {pytest} tests/test_{{}}.py 2>&1"
        return [Job(file, command.format(file), 400, PYTEST) for file in files.split()]

    Suite(name, jobs, pypi=(f"{name}=={version}", "pytest==7.4.4", *pypi), copy=True,
          build=TESTS.replace("NAME", name).replace("VERSION", version),
          env={"PYTHONDONTWRITEBYTECODE": "1"})  # fmt: skip


sdist("uvloop", "0.17.0", """
    base context cython dealloc dns executors fs_event pipes process process_spawning regr1 signals sockets tcp
    testbase udp unix
""", pypi=("psutil", "pyopenssl", "aiohttp==3.8.4"))  # fmt: skip
sdist("aiohttp", "3.8.4", """
    client_functional client_session client_ws_functional connector loop proxy_functional resolver run_app
    tcp_helpers test_utils web_app web_cli web_functional web_request_handler web_runner web_sendfile_functional
    web_server web_websocket_functional worker client_proto
""", pypi=("pytest-aiohttp==1.0.4", "pytest-asyncio==0.21.1", "pytest-mock", "trustme", "re-assert", "proxy.py",
           "brotli", "freezegun", "gunicorn", "uvloop==0.17.0"), options="-p no:xdist")  # fmt: skip
sdist("anyio", "3.6.2", """
    eventloop fileio from_thread lowlevel signals sockets subprocesses synchronization taskgroups to_process to_thread
""", pypi=("pytest-mock", "trio<0.23", "trustme", "uvloop==0.17.0", "hypothesis"), options="-p anyio")  # fmt: skip
