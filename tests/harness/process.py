# SPDX-License-Identifier: BSD-3-Clause
"""Programs under test: started, waited for by a condition, ended by pid; what they print is kept in a file."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from . import cleanup
from .netns import Namespace

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class NotReady(Exception):
    """A condition did not come true in time, or the program ended before."""


def wait_until(condition: Callable[[], bool], timeout: float, what: str, every: float = 0.02) -> None:
    """Look at a condition until it holds.

    Args:
        condition: called every `every` seconds.
        timeout: seconds.
        what: names the condition in the error.

    Raises:
        NotReady: it did not hold in time.
    """
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise NotReady(f"{what}: not within {timeout} s")
        time.sleep(every)


class Process:
    """One running program."""

    def __init__(
        self,
        argv: Sequence[object],
        *,
        log: Path,
        ns: Namespace | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Iterable[int] = (),
        cpus: Iterable[int] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start it.

        Args:
            argv: the program and its arguments.
            log: gets its standard output and error.
            ns: the namespace to start it in.
            env: added to the environment.
            pass_fds: fds it inherits.
            cpus: the cores it may use.
            stdin: as for subprocess.Popen.
            stdout: subprocess.PIPE to read it instead of logging it.
            cwd: its working directory.
        """
        self.argv = [str(a) for a in argv]
        self.name = Path(self.argv[0]).name
        self.log = log
        mask = set(cpus) if cpus is not None else None

        def prepare() -> None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if mask is not None:
                os.sched_setaffinity(0, mask)

        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                ns.argv(self.argv) if ns else self.argv,
                stdin=stdin,
                stdout=out if stdout is None else stdout,
                stderr=out,
                env={**os.environ, **(env or {})},
                pass_fds=tuple(pass_fds),
                preexec_fn=prepare,  # noqa: PLW1509 (no threads run while a program is started)
                start_new_session=True,
                cwd=cwd,
            )
        self._undo = cleanup.defer(self._end)

    @property
    def pid(self) -> int:
        """Its process id (ip netns exec replaces itself by the program)."""
        return self.popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.popen.poll() is None

    def text(self) -> str:
        """What it printed so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait(self, timeout: float) -> int:
        """Its exit code (negative: the signal that ended it).

        Raises:
            NotReady: it still runs after `timeout` seconds.
        """
        try:
            code = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise NotReady(f"{self.name} still runs after {timeout} s\n{self.tail()}") from None
        self._undo()
        return code

    def wait_for(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Wait until `condition` holds; fail at once when the program ends before.

        Raises:
            NotReady: with the end of its log.
        """
        end = time.monotonic() + timeout
        while not condition():
            if not self.running:
                raise NotReady(f"{self.name} ended with {self.popen.returncode} before {what}\n{self.tail()}")
            if time.monotonic() > end:
                raise NotReady(f"{self.name}: {what}: not within {timeout} s\n{self.tail()}")
            time.sleep(0.02)

    def wait_for_log(self, pattern: str, timeout: float = 30) -> re.Match[str]:
        """Wait until it printed something that `pattern` matches."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            match = re.search(pattern, self.text())
            if match:
                found.append(match)
            return match is not None

        self.wait_for(look, timeout, f"printing /{pattern}/")
        return found[0]

    def wait_for_port(self, ns: Namespace, address: str, port: int, timeout: float = 30) -> None:
        """Wait until a connection from `ns` to address:port is accepted."""

        def look() -> bool:
            try:
                ns.connect(address, port, timeout=1).close()
            except OSError:
                return False
            return True

        self.wait_for(look, timeout, f"accepting on {address}:{port}")

    def wait_for_fd(self, fd: int, timeout: float = 30) -> None:
        """Wait until something can be read from a pipe whose other end the program was given."""
        self.wait_for(lambda: bool(select.select([fd], [], [], 0.05)[0]), timeout, "telling that it is ready")
        if not os.read(fd, 64):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(2)
            raise NotReady(f"{self.name} gave up before it was ready\n{self.tail()}")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the program (not to its children)."""
        if self.running:
            os.kill(self.pid, number)

    def stop(self, timeout: float = 5) -> int:
        """SIGTERM, and SIGKILL when that did not end it in time; its exit code."""
        self.kill(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(timeout)
        self._undo()
        return self.popen.returncode if self.popen.returncode is not None else -signal.SIGKILL

    def tail(self, lines: int = 25) -> str:
        """The end of its log, for an error message."""
        return f"--- {' '.join(self.argv[:6])} ({self.log})\n" + "\n".join(self.text().splitlines()[-lines:])

    def children(self) -> list[int]:
        """The pids of all its descendants that run."""
        return descendants(self.pid)

    def _end(self) -> None:
        below = self.children()
        if self.running:
            self.popen.kill()
        self.popen.wait()
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


def descendants(pid: int) -> list[int]:
    """The pids of all living descendants of a process."""
    found: list[int] = []
    todo = [pid]
    while todo:
        for task in Path("/proc", str(todo.pop()), "task").glob("*/children"):
            with contextlib.suppress(OSError):
                below = [int(p) for p in task.read_text().split()]
                found += below
                todo += below
    return found
