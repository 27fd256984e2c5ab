# SPDX-License-Identifier: BSD-3-Clause
"""`joyride stat`: the service's counters and ports, once or again and again."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from joyride import query, table


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "stat", help="show counters and ports", description="Show the service's counters and ports."
    )
    parser.add_argument("filter", nargs="?", default="", help="only counters whose name holds this text, e.g. tcp_")
    parser.add_argument("-a", "--all", action="store_true", help="counters that are 0 too")
    parser.add_argument(
        "-w", "--watch", type=float, metavar="SECONDS", help="print what changed, every so many seconds"
    )
    parser.add_argument("--json", action="store_true", help="the service's own answer")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print ports and counters."""
    document = query.snapshot(options.run_dir)
    if options.json:
        print(json.dumps(document, indent=1))
        return 0
    print_ports(document.get("ports", []))
    counters = counters_of(document)
    rows = [[n, v] for n, v in counters.items() if options.filter in n and (v or options.all)]
    print("\n" + table.render(["Counter", "Value"], rows))
    while options.watch:
        time.sleep(options.watch)
        fresh = counters_of(query.snapshot(options.run_dir))
        rows = [[n, v - counters.get(n, 0), (v - counters.get(n, 0)) / options.watch] for n, v in fresh.items()
                if options.filter in n and v != counters.get(n, 0)]  # fmt: skip
        print(f"\n{time.strftime('%H:%M:%S')}\n" + table.render(["Counter", "Change", "Per second"], rows), flush=True)
        counters = fresh
    return 0


def counters_of(document: dict[str, Any]) -> dict[str, int]:
    """Counters by name."""
    counters = document.get("counters", {})
    return {str(name): int(value) for name, value in counters.items()}


def print_ports(ports: Any) -> None:
    """One line for each port, with whatever the service tells about it."""
    entries = [{"name": k, **v} for k, v in ports.items()] if isinstance(ports, dict) else list(ports)
    if not entries:
        print("no ports")
        return
    names = list(dict.fromkeys(k for entry in entries for k in entry if not isinstance(entry[k], dict | list)))
    print(table.render([n.capitalize() for n in names], [[e.get(n, "-") for n in names] for e in entries]))
