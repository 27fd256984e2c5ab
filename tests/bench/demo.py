# SPDX-License-Identifier: BSD-3-Clause
"""The demo: unmodified programs on Joyride and the same on the kernel's stack in an equal topology, and a table.

The peer always is a plain machine on the kernel; see harness/netns.py for the drawing.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import cleanup, hugepages, machine, netns, programs, service
from harness.machine import KERNEL, Machine
from harness.netns import Pair
from rich.console import Console
from rich.table import Table

CONSOLE = Console(width=None if sys.stdout.isatty() else 150)
LOOKUPS = 200
_LOOKUP_CODE = """
import socket, sys, time
start = time.monotonic()
for i in range(int(sys.argv[1])):
    (found,) = {a[4][0] for a in socket.getaddrinfo(f"h{i % 8}.test", 80, socket.AF_INET, socket.SOCK_STREAM)}
    assert found == f"10.9.8.{i % 8}", found
print(time.monotonic() - start)
"""


@dataclass
class Result:
    """One workload on one stack."""

    bytes: int
    rate: float  # of `unit`
    unit: str
    note: str
    carried: str = ""  # by the service


@dataclass
class Scene:
    """What a workload may use."""

    pair: Pair
    host: Machine
    peer: Machine
    folder: Path
    size: int
    digest: str

    def checked(self, got: programs.Fetched) -> Result:
        """A transfer whose content is compared.

        Raises:
            RuntimeError: it differs.
        """
        if programs.sha256(got.path) != self.digest:
            raise RuntimeError("the transferred file differs from the original")
        got.path.unlink()
        return Result(got.bytes, got.rate * 8 / 1e9, "Gb/s", "sha256 equal")


def curl_fetches(scene: Scene) -> Result:
    """curl on the host, the peer's nginx."""
    with programs.nginx(scene.peer, scene.folder, accept_from=(scene.peer, scene.pair.peer_ip)):
        return scene.checked(programs.curl(scene.host, f"http://{scene.pair.peer_ip}:8080/file", timeout=600))


def nginx_serves(scene: Scene) -> Result:
    """nginx on the host, the peer's curl."""
    with programs.nginx(scene.host, scene.folder, accept_from=(scene.peer, scene.pair.host_ip)):
        return scene.checked(programs.curl(scene.peer, f"http://{scene.pair.host_ip}:8080/file", timeout=600))


def redis_answers(scene: Scene) -> Result:
    """redis-server on the host, the peer's redis-benchmark."""
    requests = max(2000, min(50000, scene.size >> 12))
    with programs.redis(scene.host, accept_from=(scene.peer, scene.pair.host_ip)):
        rates = programs.redis_benchmark(scene.peer, scene.pair.host_ip, requests=requests, clients=50, data_bytes=64)
    return Result(2 * requests * 64, rates["GET"] / 1000, "k GET/s", f"{requests} SET, {requests} GET")


def asyncio_exchanges(scene: Scene) -> Result:
    """Python's asyncio on the host, an HTTP client on the peer."""
    requests = max(400, min(8000, scene.size >> 15))
    with programs.http_server(scene.host, bind=scene.pair.host_ip):
        done = programs.http_client(scene.peer, scene.pair.host_ip, connections=16, requests=requests, size=4096)
    return Result(int(done["bytes"]), done["requests"] / done["seconds"] / 1000, "k req/s", "every body compared")


def resolver_asks(scene: Scene) -> Result:
    """getaddrinfo() on the host, the peer's dnsmasq."""
    scene.pair.host.set_resolver(scene.pair.peer_ip)
    with programs.dnsmasq(scene.peer, scene.pair.peer_ip, {f"h{i}.test": f"10.9.8.{i}" for i in range(8)}):
        seconds = float(scene.host.run(programs.PYTHON, "-c", _LOOKUP_CODE, str(LOOKUPS), timeout=120))
    return Result(0, LOOKUPS / seconds / 1000, "k names/s", f"{LOOKUPS} names, every address compared")


WORKLOADS: dict[str, Callable[[Scene], Result]] = {
    "curl ← peer's nginx": curl_fetches,
    "nginx → peer's curl": nginx_serves,
    "redis-server ← peer's redis-benchmark": redis_answers,
    "python3 asyncio ↔ peer's HTTP client": asyncio_exchanges,
    "getaddrinfo → peer's dnsmasq": resolver_asks,
}


def carried(svc: service.Service) -> tuple[int, int]:
    """Connections and datagrams that the service has carried so far, by its own counters."""
    counters = svc.counters()
    return sum(counters[name] for name in service.TCP_CONNECTIONS), sum(counters[name] for name in service.DATAGRAMS)


def counted(before: tuple[int, int], after: tuple[int, int]) -> str:
    """What was carried in between, in words; empty if nothing was."""
    pairs = zip(before, after, ("connections", "datagrams"), strict=True)
    return ", ".join(f"{n} {what if n > 1 else what[:-1]}" for old, new, what in pairs if (n := new - old))


@contextlib.contextmanager
def stage(options: argparse.Namespace, stack: str) -> Iterator[tuple[Scene, service.Service | None]]:
    """A fresh topology, with a service on the host for Joyride."""
    with (
        machine.work_folder(machine.BUILD / "demo-logs" / stack) as folder,
        netns.veth_pair(mtu=options.mtu, offload=options.offload) as pair,
        contextlib.ExitStack() as running,
    ):
        host, peer = Machine(pair.host, KERNEL, folder), Machine(pair.peer, KERNEL, folder)
        svc = None
        if stack == "Joyride":
            running.enter_context(hugepages.restored())
            svc = running.enter_context(service.running(host, service.veth_config(pair.host_if)))
            host = host.on(svc.stack())
        digest = programs.make_file(folder / "file", options.size)
        yield Scene(pair, host, peer, folder, options.size, digest), svc


def attempt(name: str, scene: Scene, svc: service.Service | None) -> Result | str:
    """One workload once; a text instead of a result says why it failed."""
    before = carried(svc) if svc else (0, 0)
    try:
        result = WORKLOADS[name](scene)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if svc:
        result.carried = counted(before, carried(svc))
        if not result.carried:
            return "the service counted nothing: the kernel carried it"
    return result


def median(results: list[Result | str]) -> Result | str:
    """The result with the middle rate; the first failure, if there was one."""
    failed = next((r for r in results if isinstance(r, str)), None)
    good = sorted((r for r in results if isinstance(r, Result)), key=lambda r: r.rate)
    return failed or good[len(good) // 2]


def play(options: argparse.Namespace) -> dict[str, dict[str, Result | str]]:
    """All workloads, each in turn on every stack, so that a slow moment of the machine hits both; results by stack."""
    table: dict[str, dict[str, Result | str]] = {stack: {} for stack in options.stacks}
    with contextlib.ExitStack() as stages:
        scenes = {stack: stages.enter_context(stage(options, stack)) for stack in options.stacks}
        for name in WORKLOADS:
            if options.only and not re.search(options.only, name):
                continue
            found: dict[str, list[Result | str]] = {stack: [] for stack in options.stacks}
            for number in range(options.rounds):
                for stack, (scene, svc) in scenes.items():
                    with CONSOLE.status(f"{name}: {stack}, round {number + 1} of {options.rounds}"):
                        found[stack].append(attempt(name, scene, svc))
                    if svc and not svc.process.running:
                        raise RuntimeError(f"the service died\n{svc.process.tail()}")
            for stack, results in found.items():
                table[stack][name] = median(results)
                rates = ", ".join(f"{r.rate:.2f}" if isinstance(r, Result) else "failed" for r in results)
                CONSOLE.print(f"{name}: {stack}: {rates}", highlight=False)
    return table


def cells(joyride: Result | str | None, kernel: Result | str | None) -> list[str]:
    """A row of the table after the program's name."""
    rates = [
        "-" if r is None else f"{r.rate:.2f} {r.unit}" if isinstance(r, Result) else "FAILED" for r in (joyride, kernel)
    ]
    done = next((r for r in (joyride, kernel) if isinstance(r, Result)), Result(0, 0, "", ""))
    carried = joyride.carried if isinstance(joyride, Result) else "-"
    both = isinstance(joyride, Result) and isinstance(kernel, Result)
    ratio = f"{joyride.rate / kernel.rate:.2f}" if both else "-"  # type: ignore[union-attr]
    return [f"{done.bytes:,}", *rates, ratio, carried, done.note]


def show(options: argparse.Namespace, joyride: dict[str, Result | str], kernel: dict[str, Result | str]) -> int:
    """Print the table; 1 when a workload failed."""
    offload = "left on" if options.offload else "off"
    table = Table(
        title=f"median of {options.rounds}; veth of MTU {options.mtu}, segmentation offload {offload} on both ends",
        title_justify="left",
    )
    for column in ("program", "bytes", "Joyride", "kernel", "ratio", "carried by the service", "checked"):
        table.add_column(column, justify="left" if column in ("program", "checked") else "right", overflow="fold")
    failures = 0
    for name in joyride | kernel:
        results = {"Joyride": joyride.get(name), "kernel": kernel.get(name)}
        failures += any(isinstance(r, str) for r in results.values())
        for stack, text in results.items():
            if isinstance(text, str):
                CONSOLE.print(f"{stack}: {name}: {text}", style="red", highlight=False, markup=False)
        table.add_row(name, *cells(results["Joyride"], results["kernel"]))
    CONSOLE.print(table)
    print("What the service carried is its own count; what it does not count went through the kernel.")
    print("Segmentation offload is off by default so that both stacks put packets of MTU size on the wire.")
    return 1 if failures else 0


def parse_size(text: str) -> int:
    """64M, 1G, …"""
    match = re.fullmatch(r"(\d+)([KMG]?)", text.upper())
    if not match:
        raise argparse.ArgumentTypeError(f"{text}: a number, or one with K, M or G")
    return int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2]]


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="nox -s demo --", description=__doc__)
    parser.add_argument(
        "--size", type=parse_size, default=1 << 30, metavar="N", help="file size, e.g. 64M (default: 1G)"
    )
    parser.add_argument("--mtu", type=int, default=1500, help="of the veth (default: 1500)")
    parser.add_argument("--offload", action="store_true", help="leave the veth's offloads on")
    parser.add_argument("--only", metavar="REGEX", help="only programs whose line matches, e.g. redis")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median is shown (default: 3)")
    parser.add_argument("--stack", choices=["both", "joyride", "kernel"], default="both", help="default: both")
    options = parser.parse_args(argv)
    options.stacks = [stack for stack in ("Joyride", "kernel") if options.stack in ("both", stack.lower())]
    return options


def main(argv: list[str] | None = None) -> int:
    """Run the demo."""
    options = arguments(argv)
    try:
        netns.require_root()
    except PermissionError as error:
        print(error, file=sys.stderr)
        return 1
    cleanup.remove_leftovers()
    results = play(options)
    return show(options, results.get("Joyride", {}), results.get("kernel", {}))


if __name__ == "__main__":
    sys.exit(main())
