# SPDX-License-Identifier: BSD-3-Clause
"""Specs as they lie on disk: YAML that remembers the line of every key and item.

Only the part of YAML 1.2 that specs need is understood: plain and quoted strings, true/false, null,
decimal and 0x integers, lists, mappings. `on`, `yes` and dates stay strings; a key given twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Key = str | int


@dataclass(frozen=True, order=True)
class Where:
    """A line of a spec file."""

    file: Path
    line: int


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong with a spec, and where."""

    where: Where
    message: str

    def __str__(self) -> str:
        return f"{self.where.file}:{self.where.line}: {self.message}"


class SpecError(Exception):
    """Raised when a spec can't be used; carries every problem found so far, in file order."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = problems


@dataclass
class Problems:
    """Collects problems, so that one run reports all of them."""

    found: list[Problem] = field(default_factory=list)

    def add(self, where: Where, message: str) -> None:
        """Note one problem at a line."""
        self.found.append(Problem(where, message))

    def stop_if_any(self) -> None:
        """Raise SpecError with what was collected, if anything was."""
        if self.found:
            raise SpecError(sorted(set(self.found)))


@dataclass(frozen=True)
class Document:
    """One parsed spec file: plain data, and the line on which each path into it starts."""

    path: Path
    data: Any
    lines: dict[tuple[Key, ...], int]

    def where(self, *path: Key) -> Where:
        """The line of a path, or of its nearest parent that has one."""
        for end in range(len(path), -1, -1):
            line = self.lines.get(path[:end])
            if line is not None:
                return Where(self.path, line)
        return Where(self.path, 1)


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core types only."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+)$"), list("-0123456789")
)


def _plain(loader: _Loader, node: yaml.Node, doc: Document, path: tuple[Key, ...], problems: Problems) -> Any:
    """The Python value of a node; fills doc.lines on the way."""
    doc.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        out: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in out:
                problems.add(Where(doc.path, key_node.start_mark.line + 1), f"key '{key}' is given twice")
            doc.lines[(*path, key)] = key_node.start_mark.line + 1
            out[key] = _plain(loader, value_node, doc, (*path, key), problems)
        return out
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, doc, (*path, i), problems) for i, item in enumerate(node.value)]
    return loader.construct_object(node)


def parse(path: Path, text: str) -> Document:
    """Parse one spec file. Raises SpecError on broken YAML or a key given twice."""
    doc = Document(path, None, {})
    problems = Problems()
    data = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        data = None if node is None else _plain(loader, node, doc, (), problems)
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        problems.add(Where(path, mark.line + 1 if mark else 1), f"not YAML: {err.problem}")
    except yaml.reader.ReaderError as err:
        line = text.count("\n", 0, err.position) + 1
        problems.add(Where(path, line), f"not YAML: {err.reason}")
    problems.stop_if_any()
    return Document(path, data, doc.lines)


@dataclass
class SpecDir:
    """A folder of specs. Remembers every file and folder it looked at, for the build's dependency file."""

    root: Path
    inputs: set[Path] = field(default_factory=set)

    def has(self, name: str) -> bool:
        """Is there such a file or folder?"""
        return (self.root / name).exists()

    def load(self, name: str) -> Document:
        """Parse the one file `name`. Raises SpecError when it is missing or no YAML."""
        path = self.root / name
        self.inputs.add(path)
        if not path.is_file():
            raise SpecError([Problem(Where(path, 1), "no such spec file")])
        return parse(path, path.read_text(encoding="utf-8", errors="replace"))

    def load_all(self, folder: str) -> Iterator[Document]:
        """Parse every *.yaml of a folder, by name. The folder counts as an input: a new file is noticed."""
        path = self.root / folder
        self.inputs.add(path)
        for file in sorted(path.glob("*.yaml")):
            if not file.name.startswith("."):
                yield self.load(f"{folder}/{file.name}")
