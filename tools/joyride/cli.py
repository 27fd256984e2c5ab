# SPDX-License-Identifier: BSD-3-Clause
"""The command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from joyride import __version__, doctor, places, query, run, ss, stat, sysctl


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="joyride", description="Run programs on Joyride and look at its network service."
    )
    top.add_argument("--version", action="version", version=f"joyride {__version__}")
    top.add_argument(
        "--run-dir",
        type=Path,
        default=places.run_dir(),
        metavar="DIR",
        help="the service's folder (default: %(default)s)",
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in (run, ss, stat, sysctl, doctor):
        module.add_parser(commands)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = parser().parse_args(argv)
    try:
        code: int = options.run(options)
    except query.ServiceAbsent as error:
        print(f"joyride: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main())
