# SPDX-License-Identifier: BSD-3-Clause
"""Transfers over a bad network, on Joyride and on the kernel's stack, every byte compared.

    host (Joyride, or the kernel)          wire                      peer (the kernel)
    +-------------------------+     +-------------------+     +-------------------------+
    |  jr0    10.77.0.1/24    |=====| w0   relay   w1   |=====|  peer0   10.77.0.2/24   |
    +-------------------------+     +-------------------+     +-------------------------+

Each point of the network is measured in both directions, on both stacks after each other, several times with other
dice. The exit status is 1 when a byte was wrong, a transfer of Joyride's stalled, or the service died; how fast it was
is only reported. The kernel's congestion control is CUBIC as Joyride's is, whatever the machine's own default, so that
like is compared with like. What was measured is in build/soak/results.json; with --add it joins what is there, so that
a long run may be made in pieces.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import cleanup, hugepages, machine, netns, service
from harness.machine import BUILD, KERNEL, Machine
from harness.programs import PYTHON
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

HERE = Path(__file__).parent
OUT = BUILD / "soak"
RELAY = OUT / "relay"
PORT = 7000
STALL = 30.0
"""Seconds without a byte after which a transfer counts as stalled, unless the kernel's stalls as long."""

POINTS: dict[str, str] = {
    "clean, 1 ms": "delay_us=1000 mbps=500",
    "clean, 50 ms": "delay_us=25000 mbps=200",
    "clean, 300 ms": "delay_us=150000 mbps=100",
    "loss 0.1 %": "loss=0.001 delay_us=5000 mbps=200",
    "loss 1 %": "loss=0.01 delay_us=5000 mbps=200",
    "loss 5 %": "loss=0.05 delay_us=5000 mbps=200",
    "loss 20 %": "loss=0.2 delay_us=5000 mbps=200",
    "loss 1 %, bursts of 5": "loss=0.01 burst=5 delay_us=5000 mbps=200",
    "loss 1 %, 50 ms": "loss=0.01 delay_us=25000 mbps=100",
    "reorder 5 %": "reorder=0.05 delay_us=5000 mbps=200",
    "reorder 30 %, jitter": "reorder=0.3 jitter_us=2000 delay_us=5000 mbps=200",
    "duplicate 10 %": "dup=0.1 delay_us=5000 mbps=200",
    "corrupt 1 %": "corrupt=0.01 delay_us=5000 mbps=200",
    "rate 10 Mb/s": "delay_us=10000 mbps=10",
    "rate 10 Mb/s, deep queue": "delay_us=10000 mbps=10 queue_us=1000000",
    "all at once": "loss=0.01 reorder=0.02 dup=0.02 corrupt=0.005 delay_us=25000 jitter_us=3000 mbps=50",
}

QUICK = "clean, 50 ms|clean, 300 ms|loss 1 %$|loss 5 %|loss 20 %|jitter"
"""The networks of --quick."""


@dataclass
class Wire:
    """The namespace in the middle and the relay's place in it."""

    ns: netns.Namespace
    folder: Path

    @contextlib.contextmanager
    def running(self, point: str, seed: int) -> Iterator[None]:
        """The relay at work."""
        wire = Machine(self.ns, KERNEL, self.folder)
        with wire.running([RELAY, "w0", "w1", f"seed={seed}", *point.split()]) as process:
            process.wait_for_log("ready")
            yield


@dataclass(frozen=True)
class Result:
    """One transfer."""

    rate: float  # Mb/s
    short: float  # seconds
    gap: float  # seconds
    wrong: int


@contextlib.contextmanager
def topology(folder: Path) -> Iterator[tuple[netns.Namespace, netns.Namespace, Wire]]:
    """The three namespaces of the drawing."""
    with contextlib.ExitStack() as stack:
        host, wire, peer = (netns.Namespace(role) for role in ("host", "wire", "peer"))
        for ns in (host, wire, peer):
            stack.callback(ns.close)
        for ns, device, inner, address in ((host, "jr0", "w0", "10.77.0.1"), (peer, "peer0", "w1", "10.77.0.2")):
            netns.ip("link", "add", device, "netns", ns.name, "type", "veth", "peer", "name", inner, "netns", wire.name)
            for where, name in ((ns, device), (wire, inner)):
                where.sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 1)
                where.ip("link", "set", name, "up")
                netns.set_offload(where, name, on=False)
            ns.ip("address", "add", f"{address}/24", "dev", device)
        yield host, peer, Wire(wire, folder)


def transfer(reader: Machine, sender: Machine, address: str, seconds: float) -> Result:
    """One short and one long stream.

    Raises:
        RuntimeError: a program failed.
        harness.process.NotReady: it did not end.
    """
    script = HERE / "stream.py"
    with reader.running([PYTHON, script, "read", address, PORT, seconds]) as server:
        server.wait_for_log("listening")
        with sender.running([PYTHON, script, "send", address, PORT, seconds + 5]):
            if server.wait(seconds + 400) != 0:
                raise RuntimeError(server.tail())
        seen = json.loads(server.text().splitlines()[-1])
    return Result(seen["bytes"] * 8 / seen["seconds"] / 1e6, seen["short"], seen["gap"], seen["wrong"])


def both_ways(host: Machine, peer: Machine, seconds: float) -> dict[str, Result]:
    """The host sends, then it receives."""
    return {
        "send": transfer(peer, host, "10.77.0.2", seconds),
        "receive": transfer(host, peer, "10.77.0.1", seconds),
    }


Seen = dict[tuple[str, str, str], list[Result]]
"""Results by point, direction of the host, and stack."""


def measure(options: argparse.Namespace, console: Console) -> tuple[Seen, list[str]]:
    """Every point, and what failed."""
    chosen = {name: point for name, point in POINTS.items() if re.search(options.only, name)}
    seen: Seen = {}
    failed: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TimeRemainingColumn())  # fmt: skip
    with machine.work_folder(OUT / "logs") as folder, topology(folder) as (host_ns, peer_ns, wire):
        host, peer = Machine(host_ns, KERNEL, folder), Machine(peer_ns, KERNEL, folder)
        with service.running(host, service.veth_config()) as svc, Progress(*columns, console=console) as progress:
            task = progress.add_task("", total=2 * len(chosen) * options.reps)
            sides = [("kernel", host), ("joyride", host.on(svc.stack()))]
            for repetition in range(options.reps):
                for name, point in chosen.items():
                    for stack, side in sides if repetition % 2 == 0 else reversed(sides):
                        progress.update(task, description=f"{name}, {stack}")
                        try:
                            with wire.running(point, options.seed + repetition):
                                for way, result in both_ways(side, peer, options.seconds).items():
                                    seen.setdefault((name, way, stack), []).append(result)
                                    console.print(f"{name}, {stack} {way}s: {result}", highlight=False)
                        except Exception as error:
                            console.print(f"{name}, {stack}: {error}", markup=False, highlight=False)
                            if stack == "joyride":
                                failed.append(f"{name}, {stack}: {error}")
                        progress.advance(task)
                    if not svc.process.running:
                        raise RuntimeError(f"the service died\n{svc.process.tail()}")
    return seen, failed


def median(results: list[Result], field: str) -> float:
    """The median of one number over the repetitions."""
    return float(statistics.median(getattr(r, field) for r in results))


def spread(results: list[Result]) -> float:
    """How far the rates lie apart, as a share of their median."""
    rates = [r.rate for r in results]
    return (max(rates) - min(rates)) / max(float(statistics.median(rates)), 1e-9)


def load(path: Path) -> Seen:
    """What an earlier run wrote; nothing if there was none.

    Raises:
        TypeError: the file is another version's.
    """
    if not path.exists():
        return {}
    return {
        (row["network"], row["way"], row["stack"]): [Result(**result) for result in row["results"]]
        for row in json.loads(path.read_text())
    }


def dump(path: Path, seen: Seen) -> None:
    """Write it for load()."""
    rows = [
        {"network": name, "way": way, "stack": stack, "median": median(results, "rate"), "spread": spread(results),
         "results": [dataclasses.asdict(result) for result in results]}
        for (name, way, stack), results in seen.items()
    ]  # fmt: skip
    path.write_text(json.dumps(rows, indent=1) + "\n")


def summarise(seen: Seen) -> tuple[Table, list[str]]:
    """The table, and what is wrong."""
    table = Table("network", "Joyride", "runs", "Joyride Mb/s", "kernel Mb/s", "ratio", "spread", "256 KiB", "kernel",
                  "longest gap",
                  caption="spread of the rates, both stacks; 256 KiB and the longest gap in seconds")  # fmt: skip
    wrong = []
    order = [(name, way) for name in POINTS for way in ("send", "receive")]
    for name, way in order:
        ours, theirs = seen.get((name, way, "joyride")), seen.get((name, way, "kernel"))
        if not ours or not theirs:
            continue
        rate, kernel = median(ours, "rate"), median(theirs, "rate")
        gap, kernel_gap = max(r.gap for r in ours), max(r.gap for r in theirs)
        table.add_row(name, way, str(len(ours)), f"{rate:.2f}", f"{kernel:.2f}",
                      f"{rate / kernel:.2f}" if kernel else "-", f"{spread(ours):.0%}, {spread(theirs):.0%}",
                      f"{median(ours, 'short'):.2f}", f"{median(theirs, 'short'):.2f}", f"{gap:.1f}")  # fmt: skip
        wrong += [f"{name}, {way}: byte {r.wrong} is wrong" for r in ours if r.wrong >= 0]
        if gap > max(STALL, kernel_gap):
            wrong.append(f"{name}, {way}: nothing came for {gap:.0f} s")
    return table, wrong


def main(argv: list[str] | None = None) -> int:
    """Build the relay, run every point, print."""
    parser = argparse.ArgumentParser(prog="nox -s soak --", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="six networks, once, 5 s each")
    parser.add_argument("--seconds", type=float, help="of each transfer (default: 8)")
    parser.add_argument("--reps", type=int, help="repetitions, each with other dice (default: 3)")
    parser.add_argument("--seed", type=int, default=1, help="the first repetition's dice (default: 1)")
    parser.add_argument("--only", default="", metavar="REGEX", help="only networks whose name matches")
    parser.add_argument("--add", action="store_true", help="add to what results.json holds")
    options = parser.parse_args(argv)
    options.seconds = options.seconds or (5 if options.quick else 8)
    options.reps = options.reps or (1 if options.quick else 3)
    options.only = options.only or (QUICK if options.quick else "")
    console = Console(width=None if sys.stdout.isatty() else 130)
    netns.require_root()
    cleanup.remove_leftovers()
    OUT.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-o", RELAY, HERE / "relay.c"], check=True)
    with hugepages.restored():
        seen, failed = measure(options, console)
    path = OUT / "results.json"
    every = load(path) if options.add else {}
    for key, results in seen.items():
        every.setdefault(key, []).extend(results)
    dump(path, every)
    table, wrong = summarise(every)
    console.print(table)
    for complaint in failed + wrong:
        console.print(complaint, style="red", markup=False, highlight=False)
    return 1 if failed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
