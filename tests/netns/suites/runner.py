# SPDX-License-Identifier: BSD-3-Clause
"""Runs a suite's jobs on both libcs at once, each in a network namespace and with a /tmp of its own; compares results.

Jobs whose results differ run again, twice at most: a test that then does the same on both was a matter of luck.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import machine, netns, service
from harness.machine import KERNEL, Machine
from harness.process import NotReady, Process, wait_until

from .base import Job, Suite

STACKS = ("stock", "joyride")
COUNTED = ("sock_pairs", "tcp_established", "udp_rx")
AGAIN = 2
Tell = Callable[[str], None]


@dataclass
class Report:
    """What came of a suite."""

    suite: Suite
    results: dict[str, dict[str, str]] = field(default_factory=lambda: {stack: {} for stack in STACKS})
    unsteady: set[str] = field(default_factory=set)  # differed once, and then did not
    counted: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    error: str = ""

    def tests(self) -> list[str]:
        """Every test's name, without those to leave out."""
        names = sorted({name for results in self.results.values() for name in results})
        return [name for name in names if matching(name, self.suite.leave_out) is None]

    def differences(self) -> dict[str, tuple[str, str]]:
        """Tests that the stacks disagree about, as (stock, Joyride), known or not."""
        stock, ours = (self.results[stack] for stack in STACKS)
        words = {name: (stock.get(name, "-"), ours.get(name, "-")) for name in self.tests()}
        return {name: pair for name, pair in words.items() if pair[0] != pair[1]}

    def unknown(self) -> dict[str, tuple[str, str]]:
        """Differences that docs/compatibility.md does not explain."""
        return {n: pair for n, pair in self.differences().items() if matching(n, self.suite.known) is None}

    def data(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "suite": self.suite.name, "error": self.error, "seconds": round(self.seconds, 1), "counted": self.counted,
            "differences": self.differences(), "unknown": sorted(self.unknown()), "unsteady": sorted(self.unsteady),
            "results": self.results,
        }  # fmt: skip


def matching(name: str, patterns: Mapping[str, str]) -> str | None:
    """What is said about a test by the first pattern that it matches."""
    return next((said for pattern, said in patterns.items() if fnmatch.fnmatchcase(name, pattern)), None)


class Lane:
    """One stack's namespaces, its service if it is Joyride's, and its folder."""

    def __init__(self, stack: str, suite: Suite, tree: Path, folder: Path, pair: netns.Pair) -> None:
        self.stack, self.suite, self.pair, self.folder = stack, suite, pair, folder
        self.tree = tree
        self.svc: service.Service | None = None
        self.after = contextlib.ExitStack()  # ends the service
        self.counted: Counter[str] = Counter()
        if suite.copy:
            self.tree = folder / "tree"
            subprocess.run(["cp", "-a", "--reflink=auto", tree, self.tree], check=True)

    def start_service(self) -> None:
        """A service of the lane's own, unless it has one that runs or needs none."""
        if self.stack != "joyride" or (self.svc and self.svc.process.running):
            return
        self.after.close()
        config = service.Config(ports=[], tables={"policy": {"loopback": "service"}})
        host = Machine(self.pair.host, KERNEL, self.folder)
        self.svc = self.after.enter_context(service.running(host, config))

    def run(self, job: Job) -> Iterator[None]:
        """Run a job; `results` has the words and `text` what it printed when this is done."""
        self.start_service()
        before = self.svc.counters() if self.svc else {}
        scratch = self.folder / "tmp"
        scratch.mkdir()
        stack = self.svc.stack() if self.svc else KERNEL
        log = self.folder / "job.log"
        log.unlink(missing_ok=True)
        scratch.chmod(0o1777)
        env = {**self.suite.env, **stack.env, "TMPDIR": "/tmp"}
        command = f"ulimit -c 0; {job.command}"
        argv = ["sh", "-c", f'mount --bind {scratch} /tmp && exec "$@"', "job", *stack.argv(["sh", "-c", command])]
        process = Process(argv, log=log, ns=self.pair.host, env=env, cwd=self.tree)
        end = time.monotonic() + job.timeout
        while process.running and time.monotonic() < end:
            yield
        code = process.popen.returncode
        process.kill(signal.SIGKILL)
        self.end_all()
        process.stop()
        self.text = process.text()
        self.results = job.results(self.text, code)
        self.settle(job, before)
        shutil.rmtree(scratch, ignore_errors=True)

    def settle(self, job: Job, before: dict[str, int]) -> None:
        """What the service says afterwards: it lives, and every socket is gone."""
        if not self.svc:
            return
        try:
            self.svc.wait_for_sockets(0, 5)
            now = self.svc.counters()
            self.counted.update({name: now[name] - before.get(name, 0) for name in COUNTED})
        except (NotReady, OSError) as error:
            self.results[f"{job.name}: the service afterwards"] = "failed"
            self.text += f"\n--- the service: {error}\n{self.svc.process.tail()}"
            self.after.close()
            self.svc = None

    def end_all(self) -> None:
        """End, by pid, what a job left running."""
        mine = {self.svc.process.pid, *self.svc.process.children()} if self.svc else set()

        def left() -> list[int]:
            return [pid for pid in inside(self.pair.host) if pid not in mine]

        for pid in left():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(NotReady):
            wait_until(lambda: not left(), 5, "the end of what was killed")


def inside(ns: netns.Namespace) -> list[int]:
    """Processes in a namespace, zombies left out."""
    done = subprocess.run(["ip", "netns", "pids", ns.name], capture_output=True, text=True, check=False)
    found = []
    for pid in map(int, done.stdout.split()):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(pid)
    return found


@contextlib.contextmanager
def lanes(suite: Suite, tree: Path, stacks: Sequence[str]) -> Iterator[list[Lane]]:
    """A lane for each stack."""
    with contextlib.ExitStack() as stack:
        made = []
        for name in stacks:
            pair = stack.enter_context(netns.veth_pair())
            folder = stack.enter_context(machine.work_folder())
            lane = Lane(name, suite, tree, folder, pair)
            stack.callback(lane.after.close)
            stack.callback(lane.end_all)
            made.append(lane)
        yield made


def together(steps: Sequence[Iterator[None]]) -> None:
    """Take several tasks to their ends, side by side."""
    running = list(steps)
    while running:
        for task in list(running):
            try:
                next(task)
            except StopIteration:
                running.remove(task)
        time.sleep(0.01)


def play(report: Report, tree: Path, stacks: Sequence[str], only: str, logs: Path, tell: Tell) -> None:
    """Run a suite's jobs whose name matches `only`, and fill the report.

    Args:
        report: gets results, counters and the time.
        tree: where the suite was built.
        stacks: some of STACKS.
        only: a pattern (fnmatch).
        logs: what jobs printed whose results differ goes here.
        tell: called with a few words before each job.
    """
    began = time.monotonic()
    jobs = [job for job in report.suite.jobs(tree) if fnmatch.fnmatchcase(job.name, only)]
    with lanes(report.suite, tree, stacks) as made:
        for number, job in enumerate(jobs):
            tell(f"{job.name} ({number + 1} of {len(jobs)})")
            play_job(report, job, made, logs)
        for lane in made:
            report.counted.update(lane.counted)
    report.seconds = time.monotonic() - began
    if jobs and not any("ok" in words.values() for words in report.results.values()):
        report.error = "not one test passed on any libc: they lack something"


def play_job(report: Report, job: Job, made: Sequence[Lane], logs: Path) -> None:
    """One job on every lane, again while the lanes disagree."""
    todo: set[str] | None = None  # None: every test of it
    for attempt in range(1 + AGAIN):
        together([lane.run(job) for lane in made])
        names = {name for lane in made for name in lane.results}
        differ = {name for name in names if len({lane.results.get(name) for lane in made}) > 1}
        differ = {name for name in differ if matching(name, report.suite.leave_out) is None}
        for lane in made:
            new = {n: w for n, w in lane.results.items() if todo is None or n in todo}
            for name in (todo or set()) - set(new):  # the word of a job that ended before its first test
                report.results[lane.stack].pop(name, None)
            report.results[lane.stack].update(new)
        if todo is not None:
            report.unsteady |= todo - differ
        todo = differ if todo is None else todo & differ
        if len(made) == 1 or all(matching(name, report.suite.known) is not None for name in todo):
            return
        for lane in made:
            place = logs / report.suite.name / lane.stack
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{job.name.replace('/', '_')[:100]}.{attempt}").write_text(lane.text)


__all__ = ["STACKS", "Lane", "Report", "play"]
