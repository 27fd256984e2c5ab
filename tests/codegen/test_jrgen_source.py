# SPDX-License-Identifier: BSD-3-Clause
"""The YAML reader and the expressions in specs."""

from __future__ import annotations

from pathlib import Path

import pytest
from jrgen.expr import ExprError, evaluate
from jrgen.source import SpecError, parse

FILE = Path("x.yaml")


def test_lines_of_keys_and_items() -> None:
    doc = parse(FILE, "# c\na:\n  - {b: 1,\n     c: 2}\n  - d: 3\n    e:\n      - 4\n")
    lines = {
        path: doc.where(*path).line
        for path in [("a",), ("a", 0), ("a", 0, "b"), ("a", 0, "c"), ("a", 1, "e"), ("a", 1, "e", 0)]
    }
    assert list(lines.values()) == [2, 3, 3, 4, 6, 7]
    assert doc.where("a", 0, "nowhere", 5).line == 3


def test_only_plain_types() -> None:
    doc = parse(FILE, "{on: yes, off: 2026-11-21, a: 0x10, b: 010, c: true, d: null, e: 1.5, f: -3, g: '7'}")
    assert doc.data == {
        "on": "yes", "off": "2026-11-21", "a": 16, "b": "010", "c": True, "d": None, "e": "1.5", "f": -3, "g": "7"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3: key 'a' is given twice"),
        ("a: 1\nb: [2\nc: 3\n", "x.yaml:3: not YAML: "),
        ("a: 1\n\tb: 2\n", "x.yaml:2: not YAML: "),
        ("a: *b\n", "x.yaml:1: not YAML: found undefined alias"),
        ("a: b\nc: \x00\n", "x.yaml:2: not YAML: special"),
    ],
)
def test_broken(text: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(FILE, text)
    assert len(caught.value.problems) == 1
    assert str(caught.value.problems[0]).startswith(problem)


def value(text: str) -> int:
    def name(identifier: str) -> int:
        if identifier != "N":
            raise ExprError(f"unknown constant '{identifier}'")
        return 5

    return evaluate(text, name, lambda struct: {"s": 64}[struct])


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 + 2 * N", 11),
        ("(1 << 4) - 1", 15),
        ("sizeof(s) * 2", 128),
        ("N <= 5", 1),
        ("sizeof(s) == 63", 0),
        ("0x10", 16),
    ],
)
def test_expressions(text: str, result: int) -> None:
    assert value(text) == result


@pytest.mark.parametrize(
    "text", ["1 +", "N / 2", "M", "f(1)", "sizeof(1)", "__import__('os')", "1 if N else 2", "'a'", "1 < 2 < 3"]
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(ExprError):
        value(text)
