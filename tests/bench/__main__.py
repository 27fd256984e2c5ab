# SPDX-License-Identifier: BSD-3-Clause
"""The benchmarks: Joyride and the kernel in turn, repeated, on two equal topologies that stand at the same time.

Each repetition measures every point on both stacks directly after each other, so that a slow minute of the machine hits
both. The service idles while the kernel is measured. Joyride's processor time includes the service.
`nox -s bench -- engine` counts what a segment costs the TCP engine alone.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator

from harness import cleanup, hugepages, machine, netns, service
from harness.machine import BUILD, KERNEL, LIBC_PREFIX, Machine
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench import engine, measure, report

OUT = BUILD / "bench"


@contextlib.contextmanager
def stages(options: argparse.Namespace) -> Iterator[list[measure.Stage]]:
    """The two topologies, the first with the service."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(hugepages.restored())
        made = []
        for name in report.STACKS:
            if options.stack not in ("both", name):
                continue
            folder = stack.enter_context(machine.work_folder(OUT / "logs" / name))
            pair = stack.enter_context(netns.veth_pair(mtu=options.mtu, offload=options.offload))
            host, peer = Machine(pair.host, KERNEL, folder), Machine(pair.peer, KERNEL, folder)
            svc = None
            if name == "joyride":
                svc = stack.enter_context(service.running(host, service.veth_config(pair.host_if)))
                host = host.on(svc.stack())
            made.append(measure.Stage(name, pair, host, peer, folder, options.seconds, svc))
        yield made


def run_all(options: argparse.Namespace, console: Console) -> tuple[list[report.Sample], int]:
    """All repetitions; the samples, and how many measurements failed."""
    chosen = [b for b in measure.all_benchmarks(options.quick) if re.search(options.only, f"{b.kind} {b.point}")]
    samples: list[report.Sample] = []
    broken: set[tuple[str, str]] = set()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with stages(options) as made, Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(chosen) * len(made) * options.reps)
        for repetition in range(options.reps):
            for benchmark in chosen:
                order = made if repetition % 2 == 0 else list(reversed(made))
                for stage in order:
                    name = f"{benchmark.kind} {benchmark.point}"
                    progress.update(task, description=f"{name}, {stage.name}")
                    if (name, stage.name) not in broken:
                        try:
                            samples += sampled(benchmark, stage, repetition)
                        except Exception as error:
                            broken.add((name, stage.name))
                            console.print(f"{name}, {stage.name}: {error}", style="red", markup=False, highlight=False)
                    progress.advance(task)
                    if stage.service and not stage.service.process.running:
                        raise RuntimeError(f"the service died\n{stage.service.process.tail()}")
    return samples, len(broken)


def sampled(benchmark: measure.Benchmark, stage: measure.Stage, repetition: int) -> list[report.Sample]:
    """One measurement as samples."""
    return [
        report.Sample(
            benchmark.kind, benchmark.point, v.metric, v.unit, v.more_is_better, stage.name, repetition, v.value
        )
        for v in benchmark.run(stage)
    ]


def call_costs(console: Console) -> None:
    """What the hook costs calls that have nothing to do with sockets: read_cost.c on both libcs."""
    source = measure.SOURCES.parent / "read_cost.c"
    if not source.exists() or not (LIBC_PREFIX / "ld.so").exists():
        return
    target = measure.BINARIES / "read_cost"
    subprocess.run(["gcc", "-O2", "-std=gnu11", "-D_GNU_SOURCE", "-o", target, source, "-pthread"], check=True)
    for name, argv in (("stock libc", [str(target)]), ("patched libc", [str(LIBC_PREFIX / "ld.so"), str(target)])):
        done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        console.print(f"read_cost, {name}:\n{done.stdout}{done.stderr}", markup=False, highlight=False)


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("--reps", type=int, default=5, help="repetitions (default: 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement (default: 1)")
    parser.add_argument("--quick", action="store_true", help="fewer points")
    parser.add_argument(
        "--only", default="", metavar="REGEX", help="only benchmarks whose name matches, e.g. 'bulk send'"
    )
    parser.add_argument("--stack", choices=["both", *report.STACKS], default="both", help="default: both")
    parser.add_argument("--mtu", type=int, default=1500, help="of the veth (default: 1500)")
    parser.add_argument("--offload", action="store_true", help="leave the veth's segmentation offload on")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["engine"]:
        return engine.main(argv[1:])
    options = arguments(argv)
    console = Console(width=None if sys.stdout.isatty() else 130)
    try:
        netns.require_root()
    except PermissionError as error:
        print(error, file=sys.stderr)
        return 1
    cleanup.remove_leftovers()
    measure.compile_programs()
    call_costs(console)
    samples, failures = run_all(options, console)
    lines = report.summarise(samples)
    report.show(lines, console, options.reps)
    report.write_json(OUT / "results.json", samples, lines, vars(options))
    report.plot(OUT / "results.svg", lines)
    console.print(f"written: {OUT / 'results.json'}, {OUT / 'results.svg'}, {OUT / 'results.png'}", highlight=False)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
