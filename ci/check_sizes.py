# SPDX-License-Identifier: BSD-3-Clause
"""Checks the tail of sizes: files over 800 lines, functions over 100, and that nine functions in ten stay under 50.

A file or function that has a reason to be larger gets a line in ci/size-exceptions.txt: `PATH[:FUNCTION]: reason`.
A line there that is no longer needed is a complaint too, so that the list shrinks. Prints the largest ones.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

from ci.tree import REPO, finish, tracked

MAX_FILE, MAX_FUNCTION, MOST_FUNCTIONS = 800, 100, 50
EXCEPTIONS = REPO / "ci/size-exceptions.txt"
_KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "__attribute__"}


class Function(NamedTuple):
    """A function and its length in lines, from its name to its closing brace."""

    path: Path
    name: str
    lines: int


def c_functions(path: Path) -> list[Function]:
    """The functions of a C file in which every function's closing brace stands in the first column."""
    found: list[Function] = []
    name, start = "", 0
    for number, line in enumerate((REPO / path).read_text().splitlines(), 1):
        if line[:1].isalpha() or line[:1] == "_":
            named = re.match(r"[\w\s*]*?(\w+)\s*\(", line)
            if named and named[1] not in _KEYWORDS and not line.rstrip().endswith(";"):
                name, start = named[1], number
        elif line.startswith("}") and name:
            if not line.startswith("};") and not re.match(r"}\s*\w", line):
                found.append(Function(path, name, number - start + 1))
            name = ""
    return found


def python_functions(path: Path) -> list[Function]:
    """The functions of a Python file."""
    tree = ast.parse((REPO / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        Function(path, n.name, (n.end_lineno or n.lineno) - n.lineno + 1)
        for n in ast.walk(tree)
        if isinstance(n, kinds)
    ]


def exceptions() -> set[str]:
    """What may be larger."""
    lines = EXCEPTIONS.read_text().splitlines() if EXCEPTIONS.exists() else []
    return {
        line.rpartition(": ")[0] if line.count(": ") == 1 else line.split(": ")[0]
        for line in lines
        if line[:1] not in ("", "#")
    }


def main() -> None:
    """Check C and Python."""
    c_files = tracked("netsvc/*.c", "netsvc/**/*.c", "glibc-patches/client/*.c", "tests/**/*.c")
    py_files = [p for p in tracked("*.py", "**/*.py") if p.name != "noxfile.py"]
    functions = [f for p in c_files for f in c_functions(p)] + [f for p in py_files for f in python_functions(p)]
    large = {f"{f.path}:{f.name}": f.lines for f in functions if f.lines > MAX_FUNCTION}
    for path in c_files + py_files + tracked("netsvc/**/*.h", "glibc-patches/client/*.h"):
        lines = len((REPO / path).read_text().splitlines())
        if lines > MAX_FILE:
            large[str(path)] = lines
    allowed = exceptions()
    found = [
        f"{what}: {lines} lines, no line in ci/size-exceptions.txt"
        for what, lines in large.items()
        if what not in allowed
    ]
    found += [f"ci/size-exceptions.txt: {what} is no longer too large" for what in sorted(allowed - set(large))]
    below = sum(f.lines < MOST_FUNCTIONS for f in functions) / max(len(functions), 1)
    if below < 0.9:
        found.append(f"only {below:.0%} of the functions have fewer than {MOST_FUNCTIONS} lines, 90% should")
    print(f"{len(functions)} functions, {below:.1%} under {MOST_FUNCTIONS} lines; the longest:")
    for f in sorted(functions, key=lambda f: -f.lines)[:5]:
        print(f"  {f.lines:4} {f.path}:{f.name}")
    finish("sizes", found)


if __name__ == "__main__":
    main()
