# SPDX-License-Identifier: BSD-3-Clause
"""Programs of the distribution, unmodified, on the stock and on the patched libc, and a table of what differs.

    nox -s apps                        every program (python-suite, which takes long, only by its name)
    nox -s apps -- nginx redis         these
    nox -s apps -- --list              what there is
    nox -s apps -- --loopback          all of it on one machine, by `loopback = "service"`
    nox -s apps -- --write             and put the table into docs/programs.md
    nox -s apps -- -j 1                one program at a time (else a few, if there are cores for it)

The exit status is 1 when a workload failed, when its facts differ and docs/compatibility.md does not say why, or when
the service did not carry what it should have. Everything is in build/apps/results.json, the logs of failures beside it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import cleanup, hugepages, netns, service
from harness.machine import BUILD, LIBC_PREFIX, REPO
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from . import document, workers
from .base import APPS, PYTHON, App, Workload
from .runner import STACKS, Row, shorten, stage

OUT = BUILD / "apps"
NOT_PROGRAMS = {"__main__", "base", "document", "runner", "workers"}
AT_ONCE = min(4, os.cpu_count() or 1)


def load() -> dict[str, App]:
    """Every program's file; the catalogue."""
    for found in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if found.name not in NOT_PROGRAMS:
            importlib.import_module(f"{__package__}.{found.name}")
    return APPS


def select(
    apps: dict[str, App], names: list[str], ways: list[str], only: str, *, looped: bool = False
) -> dict[str, list[Workload]]:
    """The workloads wanted, by program.

    Raises:
        SystemExit: there is no such program.
    """
    unknown = [n for n in names if n not in apps]
    if unknown:
        raise SystemExit(f"no such program: {', '.join(unknown)}; there are {', '.join(sorted(apps))}")
    return {
        name: wanted
        for name, app in apps.items()
        if (name in names if names else not app.by_name)
        and (all_of_it := app.looped() if looped else app.workloads)
        and (wanted := [w for w in all_of_it if (not ways or w.way in ways) and only in w.title])
    }


def check_programs(apps: list[App]) -> None:
    """Stop when something is not installed.

    Raises:
        SystemExit: saying what, and how to get it.
    """
    lacking = {app.name: missing for app in apps if (missing := app.missing())}
    if lacking:
        packages = sorted({p for app in apps if app.name in lacking for p in app.packages})
        lines = [f"  {name}: {', '.join(missing)}" for name, missing in lacking.items()]
        raise SystemExit(
            "not installed:\n" + "\n".join(lines) + "\nAs root `nox -s apps` installs them; by hand: "
            f"apt-get install {' '.join(packages)}"
        )
    for path, session in ((service.BINARY, "build-netsvc"), (LIBC_PREFIX / "ld.so", "build-libc")):
        if not path.exists():
            raise SystemExit(f"{path} is missing: nox -s {session}")


def check_pair() -> None:
    """Stop when the libc does not work with the service, or every program would silently use the kernel.

    Raises:
        SystemExit: it does not.
    """
    with stage("joyride") as st:
        before = st.counters()
        st.host.run(PYTHON, "-c", f"import socket; socket.socket().bind(('{st.pair.host_ip}', 0))")
        if st.counters()["sock_made"] == before["sock_made"]:
            raise SystemExit(f"{LIBC_PREFIX} does not use {service.BINARY}: build both from one tree")


def listing(apps: dict[str, App]) -> Table:
    """What there is."""
    table = Table("program", "workload", "ways", "packages")
    for app in apps.values():
        titles = {w.title: [v.way for v in app.workloads if v.title == w.title] for w in app.workloads}
        for number, (title, ways) in enumerate(titles.items()):
            first = number == 0
            table.add_row(app.name if first else "", title, ", ".join(ways), " ".join(app.packages) if first else "")
    return table


def cells(row: Row) -> list[str]:
    """A row of the table."""
    shown = []
    for stack in STACKS:
        outcome = row.outcomes.get(stack)
        shown.append("-" if outcome is None else "[red]failed" if outcome.error else f"{outcome.seconds:.1f} s")
    ours = row.outcomes.get("joyride")
    counted = ", ".join(f"{n} {what}" for what, n in ours.counted.items() if n) if ours else "-"
    wrong, known = row.complaints(), row.known()
    verdict = f"[red]{shorten(wrong[0].splitlines()[0], 90)}" if wrong else "none"
    if known and not wrong:
        verdict = f"known: {', '.join(known)}"
    return [row.workload.app, row.workload.name, *shown, counted or "nothing", verdict]


def report(rows: list[Row], console: Console, seconds: float) -> int:
    """Table and complaints; how many rows are wrong."""
    table = Table("program", "workload", "stock", "Joyride", "the service counted", "difference")
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)
    wrong = [row for row in rows if row.complaints()]
    for row in wrong:
        for text in row.complaints():
            where = f"{row.workload.app}, {row.workload.name}"
            console.print(f"{where}: {text}", style="red", markup=False, highlight=False)
    done = len(rows) - len(wrong)
    console.print(
        f"{done} of {len(rows)} workloads did the same on both, in {seconds:.0f} s; {OUT / 'results.json'}",
        highlight=False,
    )
    return len(wrong)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="nox -s apps --", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="all but python-suite, if none is given")
    parser.add_argument("--list", action="store_true", help="print the catalogue and do nothing")
    parser.add_argument("--stack", choices=[*STACKS, "both"], default="both")
    parser.add_argument("--way", action="append", default=[], choices=["serves", "asks", "local"])
    parser.add_argument("--loopback", action="store_true", help='all programs on the host, loopback = "service"')
    parser.add_argument("--write", action="store_true", help=f"put the table into {document.PATH.relative_to(REPO)}")
    parser.add_argument("--only", default="", metavar="TEXT", help="only workloads whose title has this in it")
    parser.add_argument("-j", "--at-once", type=int, default=AT_ONCE, metavar="N", help=f"programs ({AT_ONCE})")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.write and (options.programs or options.only or options.way or options.stack != "both"):
        parser.error("--write is for a whole run, on both stacks")
    return options


def worker_argv(options: argparse.Namespace) -> list[str]:
    """What tells a worker to select the same workloads."""
    argv = ["--stack", options.stack, "--only", options.only]
    for way in options.way:
        argv += ["--way", way]
    return argv + ["--loopback"] * options.loopback


def play(wanted: Mapping[str, Sequence[Workload]], options: argparse.Namespace, console: Console) -> list[Row]:
    """All of it, with a line for each program; the rows in the catalogue's order."""
    stacks = STACKS if options.stack == "both" else (options.stack,)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    done: dict[str, list[Row]] = {}
    now: dict[str, str] = {}
    with hugepages.restored(), Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(stacks) * sum(map(len, wanted.values())))

        def tell(workload: Workload, stack: str) -> None:
            now[workload.app] = f"{workload.app}: {shorten(workload.title, 24)}, {stack}"
            progress.update(task, description="\n".join(now.values()), advance=1)

        logs = OUT / "logs"
        for name, rows in workers.play(wanted, max(1, options.at_once), stacks, worker_argv(options), logs, tell):
            now.pop(name, None)
            done[name] = rows
            (OUT / "results.json").write_text(json.dumps([r.data() for r in in_order(wanted, done)], indent=1) + "\n")
            bad = [text.splitlines()[0] for row in rows for text in row.complaints()]
            progress.console.print(f"{name}: {'; '.join(bad) or 'the same'}"[:400], markup=False, highlight=False)
    return in_order(wanted, done)


def in_order(wanted: Mapping[str, object], done: Mapping[str, list[Row]]) -> list[Row]:
    """The rows of what is done, as the catalogue has them."""
    return [row for name in wanted for row in done.get(name, [])]


def main(argv: list[str] | None = None) -> int:
    """Play what is wanted."""
    options = parse(argv)
    apps = load()
    console = Console(width=None if sys.stdout.isatty() else 190)
    if options.list:
        console.print(listing(apps))
        return 0
    wanted = select(apps, options.programs, options.way, options.only, looped=options.loopback)
    stacks = STACKS if options.stack == "both" else (options.stack,)
    if options.worker:
        (name,) = wanted
        workers.work(apps[name], wanted[name], stacks, OUT / "logs")
        return 0
    check_programs([apps[name] for name in wanted])
    netns.require_root()
    cleanup.remove_leftovers()
    shutil.rmtree(OUT / "logs", ignore_errors=True)
    (OUT / "logs").mkdir(parents=True)
    began = time.monotonic()
    if "joyride" in stacks:
        check_pair()
    try:
        rows = play(wanted, options, console)
    except KeyboardInterrupt:
        console.print(f"stopped; what was done until then is in {OUT / 'results.json'}")
        return 130
    wrong = report(rows, console, time.monotonic() - began)
    if options.write:
        document.update(options.loopback, rows, apps)
        console.print(f"wrote {document.PATH}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
