# SPDX-License-Identifier: BSD-3-Clause
"""python3 -m ci.libc {build,install,test,source}: the patched glibc from Debian's source to /opt/joyride."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ci.libc.build import Options, Tree, build, prepare_source
from ci.libc.install import install
from ci.libc.overlay import REPO
from ci.libc.report import BuildError, say
from ci.libc.suite import SUBDIRS, run_suite


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m ci.libc", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--builddir",
        type=Path,
        default=REPO / "build/libc",
        metavar="DIR",
        help="where source and objects are (default: build/libc)",
    )
    common.add_argument(
        "--libc-version", metavar="V", help="Debian version of glibc to build (default: the installed libc6's)"
    )
    common.add_argument("--stock", action="store_true", help="leave glibc as Debian has it, for comparisons")
    common.add_argument(
        "--generated", type=Path, metavar="DIR", help="take stubs and jr_abi.h from here, don't run the generator"
    )
    common.add_argument(
        "--client", type=Path, metavar="DIR", help="take the client from here (default: glibc-patches/client)"
    )
    common.add_argument(
        "--clean", action="store_true", help="remove the objects first: for releases, and when in doubt"
    )
    common.add_argument(
        "-j", "--jobs", type=int, default=os.cpu_count() or 2, metavar="N", help="parallel jobs (default: one per CPU)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    step = commands.add_parser(
        "source", parents=[common], help="only fetch and unpack the source, and put the overlay in"
    )
    step = commands.add_parser(
        "build", parents=[common], help="build libc.so and ld.so (2 minutes; seconds when little changed)"
    )
    step.add_argument(
        "--full", action="store_true", help="build all of glibc, as its own tests need (5 minutes or more)"
    )
    step = commands.add_parser("install", parents=[common], help="build, then install into one relocatable folder")
    step.add_argument("--full", action="store_true", help=argparse.SUPPRESS)
    step.add_argument(
        "--prefix", type=Path, default=Path("/opt/joyride"), metavar="DIR", help="folder (default: /opt/joyride)"
    )
    step.add_argument(
        "--destdir",
        type=Path,
        default=os.environ.get("DESTDIR") or None,
        metavar="DIR",
        help="staging folder before the prefix (default: $DESTDIR)",
    )
    step.add_argument("--debug", action="store_true", help="install the debug information too, in .debug/")
    step.add_argument("--no-strip", action="store_true", help="leave it in the files, for packages to split off")
    step = commands.add_parser(
        "test", parents=[common], help="build all, then run glibc's own tests and compare with the known failures"
    )
    step.add_argument("subdirs", nargs="*", metavar="SUBDIR", help=f"parts of glibc (default: {' '.join(SUBDIRS)})")
    step.add_argument(
        "--record", action="store_true", help="write the failures down as known (only sensible with --stock)"
    )
    return parser


def _run(args: argparse.Namespace) -> int:
    full = args.command == "test" or getattr(args, "full", False)
    options = Options(
        builddir=args.builddir,
        version=args.libc_version,
        full=full,
        clean=args.clean,
        stock=args.stock,
        generated=args.generated,
        client=args.client,
        jobs=args.jobs,
    )
    if args.command == "source":
        tree = Tree(options.builddir.resolve())
        tree.base.mkdir(parents=True, exist_ok=True)
        prepare_source(tree, options)
        say(f"the source is in {tree.src}")
        return 0
    tree = build(options)
    if args.command == "install":
        install(tree, args.prefix, args.destdir, debug=args.debug, strip=not args.no_strip)
    elif args.command == "test":
        return run_suite(tree, args.subdirs or SUBDIRS, args.jobs, record=args.record)
    else:
        say(f"built {tree.obj}/libc.so and {tree.obj}/elf/ld.so")
    return 0


def main() -> int:
    """Run one command; 1 with a message that says what to do if it fails."""
    args = _parser().parse_args()
    try:
        return _run(args)
    except BuildError as err:
        print(f"libc: error: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nlibc: stopped; run the same command again to go on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
