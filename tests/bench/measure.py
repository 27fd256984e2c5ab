# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: each function runs one measurement on one stage and returns its numbers."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import accounting, programs, service
from harness.machine import BUILD, KERNEL, Machine
from harness.netns import Pair
from harness.process import Process

SOURCES = Path(__file__).parent / "c"
BINARIES = BUILD / "bench/bin"
GIB = 1 << 30
IDLE_CONNECTIONS = 500


@dataclass
class Stage:
    """A pair of machines with one stack under the host's programs."""

    name: str
    pair: Pair
    host: Machine
    peer: Machine
    folder: Path
    seconds: float
    service: service.Service | None = None

    @property
    def service_pids(self) -> list[int]:
        """The service, or nobody."""
        return [self.service.worker_pid] if self.service else []


@dataclass(frozen=True)
class Value:
    """One number of one measurement."""

    metric: str
    value: float
    unit: str
    more_is_better: bool = True


@dataclass(frozen=True)
class Benchmark:
    """A measurement by name; `point` tells measurements of one kind apart, e.g. the write size."""

    kind: str
    point: str
    run: Callable[[Stage], list[Value]]


def compile_programs() -> None:
    """Build the C programs, once per change.

    Raises:
        subprocess.CalledProcessError: with what the compiler said on standard error.
    """
    BINARIES.mkdir(parents=True, exist_ok=True)
    for source in SOURCES.glob("*.c"):
        target = BINARIES / source.stem
        newest = max(p.stat().st_mtime for p in (source, SOURCES / "common.h"))
        if not target.exists() or target.stat().st_mtime < newest:
            subprocess.run(["gcc", "-O2", "-g", "-std=gnu11", "-o", target, source, "-pthread"], check=True)


@contextlib.contextmanager
def listening(machine: Machine, *argv: str | Path) -> Iterator[Process]:
    """One of our programs in its listening role."""
    with machine.running([BINARIES / str(argv[0]), "listen", *argv[1:]]) as process:
        process.wait_for_log("listening")
        yield process


def result_of(process: Process, timeout: float) -> dict[str, float]:
    """What a program printed as JSON, after its end."""
    code = process.wait(timeout)
    found = re.search(r"^\{.*\}$", process.text(), re.MULTILINE)
    if code != 0 or not found:
        raise RuntimeError(f"ended with {code}\n{process.tail()}")
    values: dict[str, float] = json.loads(found[0])
    return values


def bulk(size: int, mode: str, direction: str) -> Callable[[Stage], list[Value]]:
    """One stream; the host sends or receives in pieces of `size`, the peer in pieces of 128 KiB."""

    def run(stage: Stage) -> list[Value]:
        there = "recv" if direction == "send" else "send"
        port, seconds = "7100", str(stage.seconds)
        with listening(stage.peer, "bulk", stage.pair.peer_ip, port, there, "131072", "blocking", seconds) as peer:
            argv = [BINARIES / "bulk", "connect", stage.pair.peer_ip, port, direction, str(size), mode, seconds]
            with accounting.Meter(stage.service_pids) as meter:
                host = stage.host.start(argv)
                mine = result_of(host, stage.seconds + 30)
                theirs = result_of(peer, 30)
        received = theirs if direction == "send" else mine
        gib = received["bytes"] / GIB
        return [
            Value("rate", received["bytes"] * 8 / received["seconds"] / 1e9, "Gb/s"),
            Value("host cpu", (mine["cpu"] + meter.cpu) / gib, "s/GiB", more_is_better=False),
            Value("machine cpu", meter.machine / gib, "s/GiB", more_is_better=False),
        ]

    return run


def pingpong(size: int, mode: str) -> Callable[[Stage], list[Value]]:
    """Round trips between the host, which measures, and the peer."""

    def run(stage: Stage) -> list[Value]:
        count = str(int(2000 * stage.seconds) + 500)
        with listening(stage.peer, "pingpong", stage.pair.peer_ip, "7200", str(size), "1", mode):
            argv = [BINARIES / "pingpong", "connect", stage.pair.peer_ip, "7200", str(size), count, mode]
            got = result_of(stage.host.start(argv), 120)
        return [Value(name, got[f"{name}_us"], "µs", more_is_better=False) for name in ("p50", "p99")]

    return run


def accept_rate(stage: Stage) -> list[Value]:
    """Short connections that the host accepts."""
    count = str(int(1500 * stage.seconds) + 400)
    with listening(stage.host, "churn", stage.pair.host_ip, "7300"):
        argv = [BINARIES / "churn", "connect", stage.pair.host_ip, "7300", count, "4"]
        got = result_of(stage.peer.start(argv), 120)
    return [Value("rate", got["count"] / got["seconds"], "conn/s")]


def connect_rate(stage: Stage) -> list[Value]:
    """Short connections that the host opens."""
    count = str(int(1500 * stage.seconds) + 400)
    with listening(stage.peer, "churn", stage.pair.peer_ip, "7400"):
        argv = [BINARIES / "churn", "connect", stage.pair.peer_ip, "7400", count, "4"]
        got = result_of(stage.host.start(argv), 120)
    return [Value("rate", got["count"] / got["seconds"], "conn/s")]


def redis_get(pipeline: int) -> Callable[[Stage], list[Value]]:
    """redis-server on the host under the peer's redis-benchmark."""

    def run(stage: Stage) -> list[Value]:
        requests = int(15000 * stage.seconds * pipeline**0.5) + 2000
        with programs.redis(stage.host, accept_from=(stage.peer, stage.pair.host_ip)):
            rates = programs.redis_benchmark(
                stage.peer, stage.pair.host_ip, requests=requests, clients=50, pipeline=pipeline, tests="get"
            )
        return [Value("rate", rates["GET"] / 1000, "k GET/s")]

    return run


def local_bulk(size: int) -> Callable[[Stage], list[Value]]:
    """Two programs of the host over 127.0.0.1: a local pair, or the kernel's loopback."""

    def run(stage: Stage) -> list[Value]:
        seconds = str(stage.seconds)
        with listening(stage.host, "bulk", "0.0.0.0", "7500", "recv", "131072", "blocking", seconds) as receiver:
            argv = [BINARIES / "bulk", "connect", "127.0.0.1", "7500", "send", str(size), "blocking", seconds]
            result_of(stage.host.start(argv), stage.seconds + 30)
            got = result_of(receiver, 30)
        return [Value("rate", got["bytes"] * 8 / got["seconds"] / 1e9, "Gb/s")]

    return run


def local_pingpong(mode: str) -> Callable[[Stage], list[Value]]:
    """Round trips between two programs of the host over 127.0.0.1."""

    def run(stage: Stage) -> list[Value]:
        count = str(int(2000 * stage.seconds) + 500)
        with listening(stage.host, "pingpong", "0.0.0.0", "7600", "64", "1", mode):
            argv = [BINARIES / "pingpong", "connect", "127.0.0.1", "7600", "64", count, mode]
            got = result_of(stage.host.start(argv), 120)
        return [Value(name, got[f"{name}_us"], "µs", more_is_better=False) for name in ("p50", "p99")]

    return run


def idle_cpu(stage: Stage) -> list[Value]:
    """The service and a program with an open connection, both with nothing to do."""
    with holding(stage, 10) as client, accounting.Meter([*stage.service_pids, client.pid]) as meter:
        time.sleep(3 * stage.seconds)
        assert client.running
    return [Value("cpu", 100 * meter.cpu / meter.wall, "% of a core", more_is_better=False)]


@contextlib.contextmanager
def holding(stage: Stage, count: int) -> Iterator[Process]:
    """A program of the host with `count` connections open to the peer."""
    argv = [BINARIES / "idle", "connect", stage.pair.peer_ip, "7700", str(count)]
    with (
        listening(stage.peer, "idle", stage.pair.peer_ip, "7700"),
        stage.host.running(argv, stdin=subprocess.PIPE) as client,
    ):
        client.wait_for_log("ready")
        poke(client)
        client.wait_for_log("holding", 60)
        yield client


def poke(process: Process) -> None:
    """Write a byte to a program's standard input."""
    assert process.popen.stdin is not None
    process.popen.stdin.write(b"\n")
    process.popen.stdin.flush()


def idle_memory(stage: Stage) -> list[Value]:
    """Memory of the host per idle connection: program, service, and what the kernel keeps for its sockets and handles.

    The kernel's part is the growth of its slab, less what the peer's end costs, which is measured with a client on the
    kernel: its two ends cost the same.
    """
    whole = _memory_growth(stage, stage.host)
    kernel_both = _memory_growth(stage, stage.host.on(KERNEL))
    peer_end = kernel_both.slab / 2
    per_connection = (whole.programs + whole.slab - peer_end) / IDLE_CONNECTIONS
    return [Value("memory", per_connection / 1024, "KiB", more_is_better=False)]


@dataclass
class Growth:
    """Bytes that appeared while connections were opened."""

    programs: float
    slab: float


def _memory_growth(stage: Stage, host: Machine) -> Growth:
    with (
        listening(stage.peer, "idle", stage.pair.peer_ip, "7800"),
        host.running(
            [BINARIES / "idle", "connect", stage.pair.peer_ip, "7800", str(IDLE_CONNECTIONS)], stdin=subprocess.PIPE
        ) as client,
    ):
        client.wait_for_log("ready")
        pids = [client.pid, *stage.service_pids]
        before = (sum(map(accounting.proportional_bytes, pids)), accounting.slab_bytes())
        poke(client)
        client.wait_for_log("holding", 60)
        after = (sum(map(accounting.proportional_bytes, pids)), accounting.slab_bytes())
    return Growth(after[0] - before[0], after[1] - before[1])


def all_benchmarks(quick: bool) -> list[Benchmark]:
    """Everything, or a choice that takes a minute or two."""
    sizes = [1024, 131072] if quick else [1024, 4096, 16384, 65536, 131072]
    modes = ["blocking"] if quick else ["blocking", "epoll"]
    found = [
        Benchmark(f"bulk {direction} {mode}", f"{size >> 10} KiB", bulk(size, mode, direction))
        for direction in ("send", "recv")
        for mode in modes
        for size in sizes
    ]
    found += [Benchmark("ping-pong", f"64 B {mode}", pingpong(64, mode)) for mode in ("blocking", "spin")]
    found += [
        Benchmark("accept + close", "4 clients", accept_rate),
        Benchmark("connect + close", "4 at once", connect_rate),
    ]
    found += [Benchmark("redis GET", f"50 clients, pipeline {p}", redis_get(p)) for p in (1, 16)]
    found += [Benchmark("local bulk", f"{size >> 10} KiB", local_bulk(size)) for size in ([65536] if quick else sizes)]
    found += [Benchmark("local ping-pong", f"64 B {mode}", local_pingpong(mode)) for mode in ("blocking", "spin")]
    found += [Benchmark("idle", "10 connections", idle_cpu)]
    found += [Benchmark("idle", f"{IDLE_CONNECTIONS} connections", idle_memory)]
    return found
