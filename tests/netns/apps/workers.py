# SPDX-License-Identifier: BSD-3-Clause
"""Programs side by side: a process plays each, since a workload's time limit is a signal and its clean-up is at exit.

A worker is this package's command with `--worker PROGRAM`; it writes a line of JSON before each workload and one at the
end. It ends, and cleans up, by SIGINT (a terminal sends it to all), by SIGTERM, and when the command is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from harness import cleanup

from .base import App, Workload
from .runner import Outcome, Row, play_app

PR_SET_PDEATHSIG = 1
END_AFTER = 60.0  # seconds to clean up in
Tell = Callable[[Workload, str], None]
_libc = ctypes.CDLL(None)


def work(app: App, workloads: Sequence[Workload], stacks: tuple[str, ...], logs: Path) -> None:
    """Be a worker."""
    cleanup.exit_once_on(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    places = {id(w): number for number, w in enumerate(workloads)}

    def say(**what: object) -> None:
        print(json.dumps(what), flush=True)

    rows = play_app(app, list(workloads), stacks, logs, lambda w, stack: say(at=places[id(w)], stack=stack))
    say(outcomes=[{stack: vars(outcome) for stack, outcome in row.outcomes.items()} for row in rows])


class Worker:
    """A process that plays a program's workloads."""

    def __init__(self, workloads: Sequence[Workload], argv: Sequence[str], logs: Path) -> None:
        self.workloads = workloads
        self.name = workloads[0].app
        self.log = logs / f"{self.name}.log"
        self.outcomes: list[dict[str, Outcome]] = []
        self._rest = b""
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", __package__ or "", self.name, "--worker", *argv],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip

    def read(self, tell: Tell) -> bool:
        """What it wrote; whether it will write more."""
        assert self.popen.stdout
        data = os.read(self.popen.stdout.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for said in map(json.loads, lines):
            if "outcomes" in said:
                self.outcomes = [{stack: Outcome(**o) for stack, o in row.items()} for row in said["outcomes"]]
            else:
                tell(self.workloads[said["at"]], said["stack"])
        return bool(data)

    def rows(self, stacks: Sequence[str]) -> list[Row]:
        """What it found, when it has ended."""
        code = self.popen.wait()
        if self.outcomes:
            self.log.unlink()
            return [Row(w, found) for w, found in zip(self.workloads, self.outcomes, strict=True)]
        lines = self.log.read_text(errors="replace").splitlines()
        error = f"the process that played it ended with {code}: {lines[-1] if lines else ''} ({self.log})"
        return [Row(w, {stack: Outcome(error=error) for stack in stacks}) for w in self.workloads]


@contextlib.contextmanager
def _ended(running: Mapping[Worker, object]) -> Iterator[None]:
    try:
        yield
    finally:
        for worker in running:
            worker.popen.terminate()
        for worker in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.popen.wait(END_AFTER)


def play(
    wanted: Mapping[str, Sequence[Workload]],
    at_once: int,
    stacks: Sequence[str],
    argv: Sequence[str],
    logs: Path,
    tell: Tell,
) -> Iterator[tuple[str, list[Row]]]:
    """Play all programs, those with most to do first.

    Args:
        wanted: workloads by program.
        at_once: how many programs at a time.
        stacks: of STACKS.
        argv: the worker's arguments, so that it selects the same workloads.
        logs: where the files of failed workloads go.
        tell: called before each workload.

    Yields:
        a program and what it did, when it is done.
    """
    todo = sorted(wanted, key=lambda name: -len(wanted[name]))
    running: dict[Worker, None] = {}
    with selectors.DefaultSelector() as ready, _ended(running):
        while todo or running:
            while todo and len(running) < at_once:
                worker = Worker(wanted[todo.pop(0)], argv, logs)
                running[worker] = None
                ready.register(worker.popen.stdout, selectors.EVENT_READ, worker)  # type: ignore[arg-type]
            for key, _ in ready.select():
                worker = key.data
                if not worker.read(tell):
                    ready.unregister(key.fileobj)
                    del running[worker]
                    yield worker.name, worker.rows(stacks)
