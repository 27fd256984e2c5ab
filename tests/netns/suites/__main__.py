# SPDX-License-Identifier: BSD-3-Clause
"""Test suites of well-known programs on the stock and on the patched libc, with loopback through the service.

    nox -s suites                      every suite
    nox -s suites -- libuv libevent    these; --only 'tcp_*' only jobs with such names
    nox -s suites -- --list            what there is

Sources come from Debian, PyPI and npm, and are unpacked and built below ~/.cache/joyride/suites, once. The exit status
is 1 when a test's result differs and docs/compatibility.md does not say why. All is in build/suites/results.json,
what the tests printed beside it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from harness import cleanup, hugepages, netns, service
from harness.machine import BUILD, LIBC_PREFIX
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from . import fetch
from .base import SUITES
from .runner import STACKS, Report, play

OUT = BUILD / "suites"
NOT_SUITES = {"__main__", "base", "fetch", "runner"}


def load() -> None:
    """Every suite's file."""
    for found in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if found.name not in NOT_SUITES:
            importlib.import_module(f"{__package__}.{found.name}")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="nox -s suites --", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="all, if none is given")
    parser.add_argument("--list", action="store_true", help="print the catalogue and do nothing")
    parser.add_argument("--stack", choices=[*STACKS, "both"], default="both")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="only jobs whose name matches")
    parser.add_argument("--remove", action="store_true", help="remove what was unpacked and built, and do nothing")
    return parser.parse_args(argv)


def row(report: Report) -> list[str]:
    """A suite in the table."""
    tests = report.tests()
    differ, unknown = report.differences(), report.unknown()
    same = Counter(report.results["joyride"].get(name, "-") for name in tests if name not in differ)
    counted = ", ".join(f"{n} {name}" for name, n in report.counted.items() if n)
    verdict = report.error.splitlines()[0] if report.error else f"{len(unknown)}" if unknown else "none"
    return [report.suite.name, str(len(tests)), str(same.pop("ok", 0)), str(sum(same.values())),
            str(len(differ) - len(unknown)), ("[red]" if unknown or report.error else "") + verdict,
            str(len(report.unsteady)), counted, f"{report.seconds:.0f} s"]  # fmt: skip


def show(reports: list[Report], console: Console) -> int:
    """Table and differences; how many suites are wrong."""
    table = Table("suite", "tests", "ok on both", "failed or skipped on both", "known to differ", "differ", "unsteady",
                  "the service counted", "time")  # fmt: skip
    for report in reports:
        table.add_row(*row(report))
    console.print(table)
    for report in reports:
        for name, (stock, ours) in sorted(report.unknown().items()):
            text = f"{report.suite.name}: {name}: stock {stock}, Joyride {ours}"
            console.print(text, style="red", markup=False, highlight=False)
        if report.error:
            console.print(f"{report.suite.name}: {report.error}", style="red", markup=False, highlight=False)
    return sum(bool(report.unknown() or report.error) for report in reports)


def main(argv: list[str] | None = None) -> int:
    """Run what is wanted."""
    options = parse(argv)
    load()
    console = Console(width=None if sys.stdout.isatty() else 190)
    names = options.suites or list(SUITES)
    if unknown := [name for name in names if name not in SUITES]:
        raise SystemExit(f"no such suite: {', '.join(unknown)}; there are {', '.join(SUITES)}")
    if options.list:
        table = Table("suite", "source", "packages")
        for suite in SUITES.values():
            table.add_row(suite.name, suite.source, " ".join((*suite.packages, *suite.pypi, *suite.npm)))
        console.print(table)
        return 0
    if options.remove:
        shutil.rmtree(fetch.CACHE, ignore_errors=True)
        return 0
    for path, session in ((service.BINARY, "build-netsvc"), (LIBC_PREFIX / "ld.so", "build-libc")):
        if not path.exists():
            raise SystemExit(f"{path} is missing: nox -s {session}")
    netns.require_root()
    tempfile.tempdir = "/var/tmp"  # jobs have a /tmp of their own
    cleanup.remove_leftovers()
    shutil.rmtree(OUT / "logs", ignore_errors=True)
    OUT.mkdir(parents=True, exist_ok=True)
    reports: list[Report] = []
    with hugepages.restored(), Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
                                        console=console) as progress:  # fmt: skip
        task = progress.add_task("")
        for name in names:
            report = Report(SUITES[name])
            reports.append(report)

            def tell(text: str, name: str = name) -> None:
                progress.update(task, description=f"{name}: {text}")

            try:
                tree = fetch.prepare(SUITES[name], tell)
                stacks = STACKS if options.stack == "both" else (options.stack,)
                play(report, tree, stacks, options.only, OUT / "logs", tell)
            except (fetch.NotBuilt, OSError) as error:
                report.error = str(error)
            (OUT / "results.json").write_text(json.dumps([r.data() for r in reports], indent=1) + "\n")
            said = report.error or f"{len(report.tests())} tests, {len(report.unknown())} differ"
            progress.console.print(f"{name}: {said}", markup=False, highlight=False)
    return 1 if show(reports, console) else 0


if __name__ == "__main__":
    sys.exit(main())
