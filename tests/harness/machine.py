# SPDX-License-Identifier: BSD-3-Clause
"""A machine of a topology: a namespace, the stack its programs run on, and a folder for their files and logs."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import cleanup
from .netns import Namespace
from .process import Process

REPO = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("JOYRIDE_BUILD", REPO / "build"))
LIBC_PREFIX = Path(os.environ.get("JOYRIDE_LIBC", BUILD / "opt-joyride"))


@dataclass(frozen=True)
class Stack:
    """How a program is started: which libc, which service."""

    name: str
    loader: Path | None = None
    env: dict[str, str] = field(default_factory=dict)

    def argv(self, argv: Sequence[object]) -> list[str]:
        """The command line that runs `argv` on this stack.

        Raises:
            FileNotFoundError: there is no such program.
        """
        if self.loader is None:
            return [str(a) for a in argv]
        program = shutil.which(str(argv[0])) or shutil.which(str(argv[0]), path="/usr/sbin:/sbin")
        if program is None:
            raise FileNotFoundError(argv[0])
        return [str(self.loader), "--argv0", str(argv[0]), program, *map(str, argv[1:])]


KERNEL = Stack("kernel")


def joyride_stack(control_socket: Path, **env: str) -> Stack:
    """The patched libc, talking to the service behind `control_socket`."""
    return Stack("joyride", LIBC_PREFIX / "ld.so", {"JOYRIDE_SOCKET": str(control_socket), **env})


@dataclass
class Machine:
    """Starts programs in `ns` on `stack`; what they print goes to files in `folder`."""

    ns: Namespace
    stack: Stack
    folder: Path
    cpus: Iterable[int] | None = None
    _count: Iterator[int] = field(default_factory=itertools.count, repr=False)

    def on(self, stack: Stack) -> Machine:
        """The same machine with another stack under its programs."""
        return Machine(self.ns, stack, self.folder, self.cpus, self._count)

    def file(self, name: str) -> Path:
        """A path in its folder that does not exist yet."""
        while (path := self.folder / f"{self.ns.role}-{next(self._count):02d}-{name}").exists():
            pass
        return path

    def start(
        self,
        argv: Sequence[object],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
        pass_fds: Iterable[int] = (),
    ) -> Process:
        """Start a program; the caller ends it, exit at the latest does."""
        return Process(
            self.stack.argv(argv),
            log=self.file(f"{Path(str(argv[0])).name}.log"),
            ns=self.ns,
            env={**self.stack.env, **(env or {})},
            cpus=self.cpus,
            stdin=stdin,
            stdout=stdout,
            pass_fds=pass_fds,
        )

    @contextlib.contextmanager
    def running(
        self,
        argv: Sequence[object],
        *,
        env: Mapping[str, str] | None = None,
        pass_fds: Iterable[int] = (),
        stdin: int = subprocess.DEVNULL,
    ) -> Iterator[Process]:
        """A program that runs while inside."""
        process = self.start(argv, env=env, pass_fds=pass_fds, stdin=stdin)
        try:
            yield process
        finally:
            process.stop()

    def run(self, *argv: str | Path, timeout: float = 60, env: Mapping[str, str] | None = None) -> str:
        """Run a program to the end; its standard output.

        Raises:
            RuntimeError: it failed; with what it printed.
            NotReady: it did not end in time.
        """
        out = self.file(f"{Path(str(argv[0])).name}.out")
        with out.open("wb") as handle:
            process = Process(
                self.stack.argv(argv),
                log=self.file(f"{Path(str(argv[0])).name}.err"),
                ns=self.ns,
                env={**self.stack.env, **(env or {})},
                cpus=self.cpus,
                stdout=handle.fileno(),
            )
            try:
                code = process.wait(timeout)
            finally:
                process.stop()
        text = out.read_text(errors="replace")
        if code != 0:
            raise RuntimeError(f"{' '.join(map(str, argv))[:300]} ended with {code}\n{text[-1000:]}\n{process.tail()}")
        return text


@contextlib.contextmanager
def work_folder(keep_as: Path | None = None) -> Iterator[Path]:
    """A folder for one test's files; on failure its logs are kept.

    Args:
        keep_as: where logs go when the body raises.
    """
    folder = Path(tempfile.gettempdir(), cleanup.unique("files"))
    folder.mkdir(mode=0o755)
    undo = cleanup.defer(lambda: shutil.rmtree(folder, ignore_errors=True))
    try:
        yield folder
    except BaseException:
        if keep_as:
            keep_logs(folder, keep_as)
        raise
    finally:
        undo()


def keep_logs(folder: Path, keep_as: Path, limit_bytes: int = 4 << 20) -> None:
    """Copy what is worth reading after a failure: everything that isn't big."""
    shutil.rmtree(keep_as, ignore_errors=True)
    keep_as.mkdir(parents=True)
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size <= limit_bytes:
            shutil.copy(path, keep_as / path.name)
