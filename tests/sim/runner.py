# SPDX-License-Identifier: BSD-3-Clause
"""Runs the simulator's program and reads what it says."""

from __future__ import annotations

import csv
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Flow:
    """One flow's line: goodput in bit/s, times in ms and s, the mean window in segments."""

    cc: str
    goodput: float
    rtt_ms: float
    cwnd: float
    segs: int
    rexmits: int
    done_s: float


@dataclass(frozen=True)
class Result:
    """What a run said: its flows, the link's line (by column) and the sender's counters."""

    flows: list[Flow]
    link: dict[str, float]
    counters: dict[str, int]

    def share(self, cc: str) -> float:
        """The part of all goodput that went to the flows of one algorithm."""
        return sum(f.goodput for f in self.flows if f.cc == cc) / max(sum(f.goodput for f in self.flows), 1)


@dataclass(frozen=True)
class Sample:
    """A line of the trace: seconds, segments, bytes and microseconds."""

    t: float
    flow: int
    cwnd: int
    srtt_us: int
    bytes: int
    queue: int


class Simulator:
    """The program, and where its traces go."""

    def __init__(self, program: Path, out: Path, jobs: int) -> None:
        """program: jr_sim; out: a folder that exists; jobs: runs at a time."""
        self.program, self.out, self.jobs = program, out, jobs

    def run(self, trace: str = "", **args: object) -> Result:
        """One run. Arguments are the program's (see its main.c), `rev_loss` for `rev.loss`.

        Raises subprocess.CalledProcessError when the program complains, as it does about leaks.
        """
        words = [f"{k.replace('rev_', 'rev.')}={v}" for k, v in args.items()]
        if trace:
            words.append(f"trace={self.out / trace}.csv")
        said = subprocess.run([self.program, *words], check=True, capture_output=True, text=True).stdout
        return parse(said.splitlines())

    def many(self, runs: list[dict[str, object]]) -> list[Result]:
        """Several runs, in the order asked for."""
        with ThreadPoolExecutor(self.jobs) as pool:
            return list(pool.map(lambda r: self.run(**r), runs))

    def samples(self, trace: str) -> list[Sample]:
        """The trace of an earlier run."""
        with (self.out / f"{trace}.csv").open() as f:
            return [
                Sample(
                    float(r["t"]), int(r["flow"]), int(r["cwnd"]), int(r["srtt_us"]), int(r["bytes"]), int(r["queue"])
                )
                for r in csv.DictReader(f)
            ]


def parse(lines: list[str]) -> Result:
    """The program's standard output: three tables, each with a line of titles."""
    titles: list[str] = []
    flows, link, counters = [], {}, {}
    for line in lines:
        cells = line.split(",")
        if cells[0] in ("flow", "link", "counter"):
            titles = cells
            continue
        row = dict(zip(titles, cells, strict=True))
        if titles[0] == "flow":
            flows.append(
                Flow(
                    row["cc"],
                    float(row["goodput_bps"]),
                    float(row["rtt_ms"]),
                    float(row["cwnd"]),
                    int(row["segs"]),
                    int(row["rexmits"]),
                    float(row["done_s"]),
                )
            )
        elif titles[0] == "link":
            link = {k: float(v) for k, v in row.items() if k != "link"}
        else:
            counters[row["counter"]] = int(row["value"])
    return Result(flows, link, counters)
