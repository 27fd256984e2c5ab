# SPDX-License-Identifier: BSD-3-Clause
"""Plays workloads on both libcs, compares their facts, and says what the service counted."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from harness import machine, netns, service
from harness.machine import KERNEL, Machine
from harness.process import NotReady, wait_until

from .base import App, Scene, Workload

STACKS = ("stock", "joyride")
COUNTED = {"tcp": ("tcp_established",), "pairs": ("sock_pairs",), "udp": ("udp_rx", "udp_tx")}


class TooLong(Exception):
    """A workload took more than its time."""


@dataclass
class Outcome:
    """One workload once, on one stack."""

    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0
    counted: dict[str, int] = field(default_factory=dict)  # by tcp, pairs, udp


@dataclass
class Row:
    """A workload with what came of it."""

    workload: Workload
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def differences(self) -> dict[str, tuple[Any, Any]]:
        """Facts that the two stacks disagree about, as (stock, Joyride)."""
        if any(stack not in self.outcomes or self.outcomes[stack].error for stack in STACKS):
            return {}
        stock, ours = (self.outcomes[stack].facts for stack in STACKS)
        return {key: (stock.get(key), ours.get(key)) for key in stock | ours if stock.get(key) != ours.get(key)}

    def complaints(self) -> list[str]:
        """What is wrong with it; empty: both did the same, and the service carried what it should."""
        found = [f"{stack}: {o.error}" for stack, o in self.outcomes.items() if o.error]
        found += [
            f"{key}: stock {shorten(a)}, Joyride {shorten(b)}"
            for key, (a, b) in self.differences().items()
            if key not in self.workload.known
        ]
        ours = self.outcomes.get("joyride")
        if ours and not ours.error:
            found += carried_wrong(self.workload, ours.counted)
        return found

    def known(self) -> list[str]:
        """Differences that docs/compatibility.md explains."""
        return [key for key in self.differences() if key in self.workload.known]

    def data(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "program": self.workload.app, "workload": self.workload.title, "way": self.workload.way,
            "outcomes": {stack: vars(o) for stack, o in self.outcomes.items()},
            "complaints": self.complaints(), "known": self.known(),
        }  # fmt: skip


def shorten(value: Any, limit: int = 60) -> str:
    """A value in a few characters."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def carried_wrong(workload: Workload, counted: dict[str, int]) -> list[str]:
    """What the service should have carried and did not, or the reverse."""
    every = sum(counted.values())
    if workload.carries == "maybe":
        return []
    if workload.carries == "nothing":
        return [f"the service carried {every}, but these programs make their own system calls"] if every else []
    have = every if workload.carries == "some" else counted.get(workload.carries, 0)
    if have >= workload.at_least:
        return []
    return [f"the service counted {have} ({workload.carries}), {workload.at_least} at least were expected"]


class Stage:
    """The pair of machines for one program on one stack, with a service if it is Joyride's."""

    def __init__(self, stack: str, folder: Path, pair: netns.Pair, svc: service.Service | None) -> None:
        self.stack, self.folder, self.pair, self.svc = stack, folder, pair, svc
        self.peer = Machine(pair.peer, KERNEL, folder)
        self.host = Machine(pair.host, svc.stack() if svc else KERNEL, folder)

    def scene(self, workload: Workload, folder: Path) -> Scene:
        """The scene of a workload in its way."""
        looped = workload.way == "loopback"
        host = Machine(self.host.ns, self.host.stack, folder)
        peer = host if looped else Machine(self.peer.ns, KERNEL, folder)
        server = peer if workload.way == "asks" else host
        client = peer if workload.way == "serves" else host
        pair = self.pair
        where = {"serves": (pair.host_ip, pair.host_ip6), "asks": (pair.peer_ip, pair.peer_ip6)}
        address, address6 = where.get(workload.way, ("127.0.0.1", "::1"))
        both = ("127.0.0.1", "127.0.0.1") if looped else (pair.host_ip, pair.peer_ip)
        return Scene(workload.way, server, client, address, address6, host, peer, *both, pair, folder)

    def counters(self) -> dict[str, int]:
        """The service's counters now; none without a service."""
        return self.svc.counters() if self.svc else {}

    def tidy(self) -> list[str]:
        """End, by pid, what a workload left running; the names of these programs."""
        mine = {self.svc.process.pid, *self.svc.process.children()} if self.svc else set()
        names = []
        for ns in (self.pair.host, self.pair.peer):
            end = time.monotonic() + 3
            while (left := _running_in(ns, mine)) and time.monotonic() < end:
                time.sleep(0.05)
            for pid in left:
                with contextlib.suppress(OSError):
                    names.append(Path(f"/proc/{pid}/comm").read_text().strip())
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(NotReady):
                wait_until(lambda ns=ns: not _running_in(ns, mine), 5, "the end of what was killed")  # type: ignore[misc]
        return names

    def keep_logs(self, logs: Path, number: int) -> None:
        """Copy a workload's files, and what the service said."""
        for folder in self.folder.glob(f"{number:02d}-*"):
            machine.keep_logs(folder, logs / f"{folder.name}-{self.stack}")
            if self.svc:
                (logs / f"{folder.name}-{self.stack}" / "service.log").write_text(self.svc.process.text())

    def play(self, workload: Workload, number: int) -> Outcome:
        """One workload once."""
        folder = self.folder / f"{number:02d}-{re.sub(r'[^a-z0-9]+', '-', workload.name.lower())[:24]}"  # AF_UNIX: 108
        folder.mkdir(mode=0o755)
        before, began = self.counters(), time.monotonic()
        outcome = Outcome()
        try:
            with _at_most(workload.timeout):
                outcome.facts = json.loads(json.dumps(workload.play(self.scene(workload, folder)), default=str))
        except Exception as error:
            outcome.error = f"{type(error).__name__}: {error}"
        outcome.seconds = round(time.monotonic() - began, 2)
        left = self.tidy()
        if left:
            outcome.facts["left running"] = sorted(set(left))
        try:
            self._settle(outcome, before)
        except Exception as error:
            outcome.error = outcome.error or f"{type(error).__name__}: {error}"
        return outcome

    def _settle(self, outcome: Outcome, before: dict[str, int]) -> None:
        if not self.svc:
            return
        if not self.svc.process.running:
            raise RuntimeError(f"the service died\n{self.svc.process.tail()}")
        after = self.counters()
        for what, names in COUNTED.items():
            outcome.counted[what] = sum(after[name] - before[name] for name in names)
        self.svc.wait_for_sockets(0)


def _running_in(ns: netns.Namespace, but: set[int]) -> list[int]:
    done = subprocess.run(["ip", "netns", "pids", ns.name], capture_output=True, text=True, check=False)
    return [pid for pid in map(int, done.stdout.split()) if pid not in but and not _is_zombie(pid)]


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def late(_number: int, _frame: FrameType | None) -> None:
        raise TooLong(f"not done after {seconds:.0f} s")

    old = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def configuration(looped: bool) -> service.Config:
    """Of the service: on the host's end of the veth, or on loopback only."""
    return service.Config(ports=[], tables={"policy": {"loopback": "service"}}) if looped else service.veth_config()


@contextlib.contextmanager
def stage(stack: str, *, looped: bool = False) -> Iterator[Stage]:
    """Fresh machines for one program; with a service, unless it is the stock libc's turn."""
    with machine.work_folder() as folder, netns.veth_pair() as pair, contextlib.ExitStack() as inside:
        folder.chmod(0o755)
        svc = None
        if stack == "joyride":
            svc = inside.enter_context(service.running(Machine(pair.host, KERNEL, folder), configuration(looped)))
        yield Stage(stack, folder, pair, svc)
        if svc and svc.process.running and svc.process.stop() != 0:
            raise RuntimeError(f"the service did not end cleanly\n{svc.process.tail()}")


def play_app(
    app: App, workloads: list[Workload], stacks: tuple[str, ...], logs: Path, tell: Callable[[Workload, str], None]
) -> list[Row]:
    """All of a program's workloads on the stacks wanted.

    Args:
        app: the program.
        workloads: those of its workloads that are wanted.
        stacks: of STACKS.
        logs: where the files of failed workloads go.
        tell: called before each.
    """
    rows = [Row(w) for w in workloads]
    for stack in stacks:
        todo = list(enumerate(rows))
        while todo:  # again with a new service when a workload ended it
            todo = _play_some(app, stack, todo, logs, tell)
    return rows


def _play_some(
    app: App, stack: str, todo: list[tuple[int, Row]], logs: Path, tell: Callable[[Workload, str], None]
) -> list[tuple[int, Row]]:
    try:
        with stage(stack, looped=todo[0][1].workload.way == "loopback") as st:
            for at, (number, row) in enumerate(todo):
                tell(row.workload, stack)
                outcome = row.outcomes[stack] = st.play(row.workload, number)
                if outcome.error:
                    st.keep_logs(logs / app.name, number)
                if st.svc and (outcome.error or not st.svc.process.running):
                    return todo[at + 1 :]
    except (RuntimeError, NotReady, OSError, subprocess.SubprocessError) as error:
        for _, row in todo:
            if stack not in row.outcomes:
                row.outcomes[stack] = Outcome(error=str(error))
        todo[-1][1].outcomes[stack].error = todo[-1][1].outcomes[stack].error or str(error)
    return []


__all__ = ["STACKS", "Outcome", "Row", "Stage", "play_app", "shorten", "stage"]
