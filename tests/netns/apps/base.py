# SPDX-License-Identifier: BSD-3-Clause
"""What a program's file here is made of: an `App`, its workloads, and the `Scene` that each of them plays in.

A workload is a function that starts programs, lets them work, checks what cannot depend on the stack, and returns
*facts*: what the two libcs must agree about (exit codes, hashes, counts, answers). It runs once on each, and in each of
its ways:

    serves    the server on the host (stock or patched libc), the client on the peer (always stock, always the kernel)
    asks      the client on the host, the server on the peer
    local     both on the host
    loopback  everything on the host, with `loopback = "service"` (`nox -s apps -- --loopback`): each workload once
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness import programs
from harness.machine import Machine
from harness.netns import Pair
from harness.process import NotReady, Process
from harness.programs import PYTHON

__all__ = ["APPS", "KIB", "MIB", "PYTHON", "App", "Scene", "Workload", "tool"]

KIB, MIB = 1 << 10, 1 << 20
SCRIPTS = Path(__file__).parent / "scripts"
APPS: dict[str, App] = {}
_PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Scene:
    """One workload's place: two machines, and who is where."""

    way: str
    server: Machine
    client: Machine
    address: str  # of the server, as the client reaches it
    address6: str
    host: Machine  # on the stack under test
    peer: Machine  # on the kernel; on loopback the host
    host_address: str
    peer_address: str
    pair: Pair
    folder: Path

    @property
    def client_address(self) -> str:
        """Of the client, as the server reaches it."""
        return self.peer_address if self.client is self.peer else self.host_address

    def file(self, size: int, name: str = "file") -> tuple[Path, str]:
        """A file of bytes that repeat nowhere, and its sha256."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path, programs.make_file(path, size)

    def path(self, name: str) -> Path:
        """A path of the scene's own."""
        return self.folder / name

    def script(self, name: str) -> Path:
        """A script beside the programs' files."""
        return SCRIPTS / name

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """A small file, e.g. a configuration."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def certificate(self) -> tuple[Path, Path]:
        """A self-signed certificate for the server's addresses, and its key."""
        cert, key = self.folder / "cert.pem", self.folder / "key.pem"
        if not cert.exists():
            names = f"subjectAltName=IP:{self.address},IP:{self.address6},IP:127.0.0.1,DNS:localhost"
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=apps.test", "-addext", names],
                check=True, capture_output=True,
            )  # fmt: skip
        return cert, key

    @contextlib.contextmanager
    def serving(
        self,
        argv: Sequence[object],
        port: int,
        *,
        ready: str | None = None,
        timeout: float = 20,
        env: Mapping[str, str] | None = None,
    ) -> Iterator[Process]:
        """A server while inside; entered when it printed `ready`, else when the client's side can connect to `port`."""
        with self.server.running(argv, env=env) as process:
            if ready:
                process.wait_for_log(ready, timeout)
            else:
                process.wait_for_port(self.client.ns, self.address, port, timeout)
            yield process

    def ask(self, *argv: str | Path, timeout: float = 60, env: Mapping[str, str] | None = None) -> str:
        """Run a client to its end; what it printed."""
        return self.client.run(*argv, timeout=timeout, env=env)

    def exchange(
        self, serve: Sequence[object], ask: Sequence[str | Path], *, port: int = 0, timeout: float = 20
    ) -> dict[str, Any]:
        """What a client says, in JSON in its last line, of a server that prints "ready" or, if given, takes `port`."""
        with self.serving(serve, port, ready=None if port else "ready", timeout=timeout):
            said = self.ask(*ask)
        facts: dict[str, Any] = json.loads(said.splitlines()[-1])
        return facts

    def try_ask(self, *argv: object, timeout: float = 60, env: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run a client that may fail; its exit code and all it printed."""
        return run_to_end(self.client, argv, timeout=timeout, env=env)


def run_to_end(
    machine: Machine, argv: Sequence[object], *, timeout: float = 60, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run a program that may fail; its exit code and all it printed.

    Raises:
        NotReady: it did not end in time.
    """
    process = machine.start(argv, env=env)
    try:
        code = process.wait(timeout)
    finally:
        process.stop()
    return code, process.text()


def settle(condition: Callable[[], bool], timeout: float = 10) -> bool:
    """Wait until a condition holds; whether it did."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


Play = Callable[[Scene], dict[str, Any]]
_LOOPED = ("udp", "tcp", "pairs", "some", "maybe", "nothing")  # which of a workload's ways says most of it on loopback


@dataclass(frozen=True)
class Workload:
    """One thing a program does, in one way."""

    app: str
    title: str
    way: str
    play: Play
    carries: str  # tcp, udp, pairs, some (any of these), nothing (the kernel's), or maybe
    at_least: int
    timeout: float
    known: Mapping[str, str] = field(default_factory=dict)
    looped_carries: str = ""  # on loopback, if not what follows from `carries`
    apart: bool = False  # needs two machines

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"{self.title} ({self.way})"

    def looped(self) -> Workload:
        """The same on loopback, where the service has both ends of each connection, and every datagram."""
        carries = self.looped_carries or {"pairs": "tcp", "maybe": "some"}.get(self.carries, self.carries)
        return replace(self, way="loopback", carries=carries)


class App:
    """A program: where it comes from, and what is done with it."""

    def __init__(self, name: str, *, packages: Sequence[str], needs: Sequence[str], by_name: bool = False) -> None:
        """Enter it into the catalogue.

        Args:
            name: by which it is selected.
            packages: Debian packages it comes from (conanfile.py installs them).
            needs: programs or files that must exist.
            by_name: it is run only when it is named.
        """
        self.name = name
        self.by_name = by_name
        self.packages = tuple(packages)
        self.needs = tuple(needs)
        self.workloads: list[Workload] = []
        APPS[name] = self

    def looped(self) -> list[Workload]:
        """Each thing it does once, with all programs on the host and loopback = "service"."""
        best: dict[Play, Workload] = {}
        for workload in self.workloads:
            if workload.apart:
                continue
            other = best.setdefault(workload.play, workload)
            if _LOOPED.index(workload.carries) < _LOOPED.index(other.carries):
                best[workload.play] = workload
        return [workload.looped() for workload in best.values()]

    def missing(self) -> list[str]:
        """Those of its programs and files that this machine lacks."""
        return [n for n in self.needs if tool(n, or_none=True) is None]

    def workload(
        self,
        title: str,
        *,
        ways: Sequence[str] = ("serves", "asks"),
        carries: str = "",
        at_least: int = 1,
        timeout: float = 90,
        known: Mapping[str, str] | None = None,
        looped_carries: str = "",
        apart: bool = False,
    ) -> Callable[[Play], Play]:
        """Enter a workload.

        Args:
            title: what it does, in a few words.
            ways: see this file's top.
            carries: what the service must have counted: tcp, udp, pairs, some, nothing or maybe; tcp if not given,
                pairs for `local`.
            at_least: how many of these.
            timeout: seconds.
            known: facts that are known to differ, and the heading in docs/compatibility.md that says why.
            looped_carries: as `carries`, for --loopback.
            apart: it needs two machines, so --loopback leaves it out.
        """

        def enter(play: Play) -> Play:
            for way in ways:
                counted = carries or ("pairs" if way == "local" else "tcp")
                known_here = dict(known or {})
                self.workloads.append(
                    Workload(self.name, title, way, play, counted, at_least, timeout, known_here, looped_carries, apart)
                )
            return play

        return enter


def tool(name: str, *, or_none: bool = False) -> str | None:
    """Where a program is, also one that is only root's or that has a folder of its own (a pattern, then).

    Raises:
        FileNotFoundError: nowhere.
    """
    if "/" in name:
        found = sorted(str(p) for p in Path("/").glob(name.lstrip("/")))
        where = found[-1] if found else None
    else:
        where = shutil.which(name, path=_PATHS)
    if where is None and not or_none:
        raise FileNotFoundError(name)
    return where


def must(condition: object, what: str) -> None:
    """Fail with a sentence unless a condition holds.

    Raises:
        AssertionError: it does not.
    """
    if not condition:
        raise AssertionError(what)


__all__ += ["NotReady", "must", "run_to_end", "settle"]
