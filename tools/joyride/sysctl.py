# SPDX-License-Identifier: BSD-3-Clause
"""`joyride sysctl`: the engine's knobs under FreeBSD's names, read and set while it runs, as sysctl(8) does."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from joyride import query


class Refused(Exception):
    """The service said no; the text is its reason."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "sysctl",
        help="read and set the engine's knobs",
        description="Show the knobs of the network stack, or set them (as root) until the service ends. What should "
        "stay belongs into [sysctl] of the configuration file. Names and units are FreeBSD's.",
    )
    parser.add_argument(
        "knob", nargs="*", metavar="NAME[=VALUE]", help="a knob, or what its name begins with: net.inet.tcp.sack"
    )
    parser.add_argument("-d", "--describe", action="store_true", help="what each is for, instead of its value")
    parser.add_argument("-n", "--values", action="store_true", help="values without names")
    parser.add_argument("-c", "--changed", action="store_true", help="only those that differ from their default")
    parser.add_argument("--json", action="store_true", help="everything about them")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Set what has a value, then show the others."""
    failed = False
    shown: list[dict[str, Any]] = []
    for argument in options.knob:
        name, equals, value = argument.partition("=")
        try:
            if equals:
                done = ask(options.run_dir, f"{name}={value}")
                print(f"{name}: {done['before']} -> {done['now']['value']}")
            else:
                shown += matching(ask(options.run_dir, ""), name)
        except Refused as error:
            print(f"joyride: {error}", file=sys.stderr)
            failed = True
    if not options.knob:
        shown = ask(options.run_dir, "")
    if options.changed:
        shown = [k for k in shown if k["value"] != k["default"]]
    show(shown, options)
    return 1 if failed else 0


def ask(run_dir: Path, request: str) -> Any:
    """The service's answer to one request: a knob, or all of them for an empty one.

    Raises:
        Refused: the service knows no such knob or does not take the value.
        query.ServiceAbsent: no service answers there.
    """
    answer = query.exchange(run_dir / "sysctl.sock", request.encode())
    if isinstance(answer, dict) and "error" in answer:
        raise Refused(answer["error"])
    return answer


def matching(known: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The knob of that name, or those below it.

    Raises:
        Refused: there is none.
    """
    found = [k for k in known if k["name"] == name or k["name"].startswith(name + ".")]
    if not found:
        raise Refused(f"{name}: unknown sysctl; `joyride sysctl` lists them")
    return found


def show(knobs: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Print them in the form that was asked for."""
    if options.json:
        print(json.dumps(knobs, indent=1))
        return
    for knob in knobs:
        if options.describe:
            unit = f" [{knob['unit']}]" if knob["unit"] else ""
            text = f"{knob['help']}{unit}"
        else:
            text = knob["value"]
        print(text if options.values else f"{knob['name']}: {text}")
