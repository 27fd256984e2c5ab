# SPDX-License-Identifier: BSD-3-Clause
"""python3 -m jrgen <emit> --spec DIR --out DIR [--depfile FILE]."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from jrgen.emits import EMITS, Files
from jrgen.render import TEMPLATE_DIR, write
from jrgen.schema import SCHEMA_DIR
from jrgen.source import Problem, SpecDir, SpecError


def _make_escape(path: Path) -> str:
    return str(path).replace("$", "$$").replace("#", "\\#").replace(" ", "\\ ")


def _write_depfile(depfile: Path, outputs: list[Path], inputs: set[Path]) -> None:
    """A make rule that names all that this run read: specs and their folders, schemas, templates, jrgen itself."""
    package = Path(__file__).resolve().parent
    inputs = inputs | set(package.glob("*.py")) | set(TEMPLATE_DIR.glob("*.j2")) | set(SCHEMA_DIR.glob("*.json"))
    left = " ".join(_make_escape(p) for p in outputs)
    right = " \\\n ".join(_make_escape(p) for p in sorted(inputs))
    depfile.write_text(f"{left}: {right}\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Run one emit, or all; 0, or 1 with the specs' problems on stderr as `file:line: message`."""
    parser = argparse.ArgumentParser(prog="jrgen", description="Generate C, stubs and tables from Joyride's specs.")
    parser.add_argument("emit", choices=[*EMITS, "all"], help="what to make")
    parser.add_argument("--spec", type=Path, required=True, help="folder that holds the specs")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--depfile", type=Path, help="make-style dependency file to write")
    args = parser.parse_args(argv)

    names = list(EMITS) if args.emit == "all" else [args.emit]
    spec = SpecDir(args.spec)
    files: Files = []
    problems: list[Problem] = []
    for name in names:
        try:
            files += EMITS[name](spec)
        except SpecError as err:
            problems += [p for p in err.problems if p not in problems]
    if problems:
        for problem in problems:
            print(problem, file=sys.stderr)
        return 1
    outputs = write(args.out, files)
    if args.depfile:
        _write_depfile(args.depfile, outputs, spec.inputs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
