# SPDX-License-Identifier: BSD-3-Clause
"""Checks the documents against the tree.

- Links between documents lead to files and headings that exist.
- In ARCHITECTURE.md's path tables (columns File, Function) every file exists and defines or declares the function.
- Paths in backquotes that begin with a folder of this repository exist.
"""

from __future__ import annotations

import re
from pathlib import Path

from ci.tree import REPO, finish, tracked

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
TOP_FOLDERS = {"ci", "codegen", "docs", "glibc-patches", "netsvc", "packaging", "tests", "tools", ".ci"}


def anchor(heading: str) -> str:
    """The name that a heading is linked by."""
    kept = re.sub(r"[^\w\s-]", "", re.sub(r"[`*]", "", heading).lower())
    return re.sub(r"\s", "-", kept.strip())


def headings(path: Path) -> set[str]:
    """The names that a document's headings are linked by."""
    return {anchor(h) for h in _HEADING.findall(path.read_text())}


def check_links(path: Path, text: str) -> list[str]:
    """Links of one document that lead nowhere."""
    found = []
    for target in _LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        other = (REPO / path).parent / name if name else REPO / path
        if not other.exists():
            found.append(f"{path}: link to {target}: no such file")
        elif fragment and other.suffix == ".md" and fragment not in headings(other):
            found.append(f"{path}: link to {target}: no such heading")
    return found


def check_paths(path: Path, text: str) -> list[str]:
    """Paths of this repository that a document names and that don't exist."""
    found = []
    for code in _CODE.findall(text):
        name = code.strip().rstrip("/")
        plain = re.fullmatch(r"[\w.+/-]+", name)
        if plain and "/" in name and name.split("/")[0] in TOP_FOLDERS and not (REPO / name).exists():
            found.append(f"{path}: names {code}, which does not exist")
    return found


def tables(text: str) -> list[tuple[str, str]]:
    """The (file, function) pairs of the tables whose header has these two columns."""
    rows: list[tuple[str, str]] = []
    columns: tuple[int, int] | None = None
    for line in text.splitlines():
        if not line.startswith("|"):
            columns = None
            continue
        cells = [c.strip().strip("`") for c in line.strip().strip("|").split("|")]
        lower = [c.lower() for c in cells]
        if "file" in lower and "function" in lower:
            columns = (lower.index("file"), lower.index("function"))
        elif columns and not set(cells[0]) <= set("-: "):
            rows.append((cells[columns[0]], cells[columns[1]]))
    return rows


def check_tables(path: Path, text: str) -> list[str]:
    """Rows of the path tables that name what isn't there."""
    found = []
    for name, functions in tables(text):
        target = REPO / name
        if not target.is_file():
            found.append(f"{path}: table names {name}, which does not exist")
            continue
        source = target.read_text()
        for function in re.findall(r"\w+", functions.replace("()", "")):
            if not re.search(rf"\b{function}\b\s*\(", source) and not re.search(rf"\b{function}\b\s*:", source):
                found.append(f"{path}: {name} has no function {function}")
    return found


def main() -> None:
    """Check every Markdown document."""
    found = []
    for path in tracked("*.md", "**/*.md"):
        text = _FENCE.sub("", (REPO / path).read_text())
        found += check_links(path, text) + check_paths(path, text)
        if path.name == "ARCHITECTURE.md":
            found += check_tables(path, text)
    finish("documents", found)


if __name__ == "__main__":
    main()
