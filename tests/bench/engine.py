# SPDX-License-Identifier: BSD-3-Clause
"""What a segment costs the TCP engine alone: instructions (callgrind, repeatable) and nanoseconds (this machine, now).

`nox -s bench -- engine` runs each case of tests/packet/tcp/speed.c and compares the instructions with those recorded in
engine.json beside this file, so that a change shows; `--record` writes them there.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

from harness.machine import BUILD
from rich.console import Console
from rich.progress import track
from rich.table import Table

SPEED = BUILD / "meson/tests/packet/tcp/tcp_speed"
RECORD = Path(__file__).with_name("engine.json")
SEGMENTS = 20_000
"""Segments of the shorter run under callgrind; the longer one has three times as many."""
CASES = {
    "rx": "receive 1448 bytes",
    "rx-offload": "receive 1448 bytes, checksums by the port",
    "rx-1000": "receive 64 bytes on each of 1,000 connections in turn",
    "rx-10000": "the same on 10,000",
    "rx-100000": "the same on 100,000",
    "tx": "send 1448 bytes",
    "tx-offload": "send 1448 bytes, checksums by the port",
}


def instructions(case: str, segments: int) -> int:
    """Instructions of one whole run under callgrind.

    Raises:
        RuntimeError: valgrind failed.
    """
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(SPEED), case, str(segments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-500:]}")
    return int(found[1])


def packets(case: str, segments: int) -> tuple[float, float]:
    """Packets in and out for each segment that the case counts, and nanoseconds for each packet, of one run."""
    done = subprocess.run([str(SPEED), case, str(segments)], capture_output=True, text=True, check=True)
    found = re.search(r"([\d.]+) Mseg/s \(([\d.]+) in, ([\d.]+) out\) +([\d.]+) ns", done.stdout)
    if not found:
        raise RuntimeError(f"{SPEED} {case}: {done.stdout!r}")
    whole, rx, tx = float(found[1]), float(found[2]), float(found[3])
    return whole / (tx if case.startswith("tx") else rx), float(found[4])


def measure(case: str, repetitions: int) -> tuple[float, float]:
    """Instructions and median nanoseconds for each packet, received or sent."""
    spent = instructions(case, 3 * SEGMENTS) - instructions(case, SEGMENTS)
    runs = [packets(case, 2_000_000) for _ in range(repetitions)]
    per_segment = statistics.median(r[0] for r in runs)
    return spent / (2 * SEGMENTS * per_segment), statistics.median(r[1] for r in runs)


def main(argv: list[str]) -> int:
    """Measure, print beside the record, write it when asked to."""
    parser = argparse.ArgumentParser(prog="nox -s bench -- engine", description=__doc__)
    parser.add_argument("--reps", type=int, default=5, help="runs for the nanoseconds (default: 5)")
    parser.add_argument("--record", action="store_true", help="write engine.json")
    options = parser.parse_args(argv)
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table("case", "instructions per packet", "recorded", "change", "ns per packet", title="TCP alone")
    fresh = {}
    for case in track(CASES, console=console, description="engine"):
        spent, ns = measure(case, options.reps)
        fresh[case] = round(spent)
        before = recorded.get(case)
        change = f"{spent / before - 1:+.1%}" if before else "-"
        table.add_row(CASES[case], f"{spent:,.0f}", f"{before:,}" if before else "-", change, f"{ns:.0f}")
    console.print(table)
    if options.record:
        RECORD.write_text(json.dumps(fresh, indent=1) + "\n")
        console.print(f"written: {RECORD.name}")
    return 0
