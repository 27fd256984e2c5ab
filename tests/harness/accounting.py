# SPDX-License-Identifier: BSD-3-Clause
"""What programs cost: processor time, memory, bytes on a device; all read from /proc (proc(5))."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .netns import Namespace
from .process import descendants

_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads, dead ones too, and of the children it waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(t) for t in fields[11:15]) / _TICK


def tree_cpu_seconds(pids: Iterable[int]) -> float:
    """The same over several processes and everything below them."""
    every: set[int] = set()
    for pid in pids:
        every |= {pid, *descendants(pid)}
    return sum(cpu_seconds(pid) for pid in every)


def machine_busy_seconds() -> float:
    """Processor time that the whole machine spent on anything, interrupts and kernel threads included.

    The kernel's stack works partly in softirq, which no process is charged for; this is the fair sum for both stacks.
    """
    fields = [int(v) for v in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = fields
    return (user + nice + system + irq + softirq) / _TICK


def proportional_bytes(pid: int) -> int:
    """The memory of a process with shared pages counted in parts (Pss)."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def slab_bytes() -> int:
    """Memory that the kernel's own objects take on this machine, per-cpu data included."""
    values = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return sum(int(values[key].split()[0]) * 1024 for key in ("Slab", "Percpu"))


@dataclass
class Traffic:
    """Bytes and packets that a device has received and sent."""

    rx_bytes: int
    rx_packets: int
    tx_bytes: int
    tx_packets: int

    def __sub__(self, other: Traffic) -> Traffic:
        return Traffic(
            self.rx_bytes - other.rx_bytes,
            self.rx_packets - other.rx_packets,
            self.tx_bytes - other.tx_bytes,
            self.tx_packets - other.tx_packets,
        )


def traffic(ns: Namespace, device: str) -> Traffic:
    """What a device of a namespace has carried."""
    stats = ns.json("link", "show", device)[0]["stats64"]
    rx, tx = stats["rx"], stats["tx"]
    return Traffic(rx["bytes"], rx["packets"], tx["bytes"], tx["packets"])


@dataclass
class Meter:
    """Wall and processor time between start() and stop()."""

    pids: list[int]
    wall: float = 0.0
    cpu: float = 0.0
    machine: float = 0.0
    _start: tuple[float, float, float] = field(default=(0.0, 0.0, 0.0), repr=False)

    def __enter__(self) -> Meter:
        self._start = (time.monotonic(), tree_cpu_seconds(self.pids), machine_busy_seconds())
        return self

    def __exit__(self, *_: object) -> None:
        wall, cpu, machine = self._start
        self.wall = time.monotonic() - wall
        self.cpu = tree_cpu_seconds(self.pids) - cpu
        self.machine = machine_busy_seconds() - machine


def least_share(pids: list[int], seconds: float, tries: int = 4) -> float:
    """What part of a core processes take in the quietest of a few periods; in the first something may still go on."""
    least = float("inf")
    for _ in range(tries):
        with Meter(pids) as meter:
            time.sleep(seconds)
        least = min(least, meter.cpu / meter.wall)
        if least < 0.005:
            break
    return least
