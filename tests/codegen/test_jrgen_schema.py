# SPDX-License-Identifier: BSD-3-Clause
"""The JSON Schemas are valid and leave no room for unknown keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jrgen_support import REAL
from jsonschema import Draft202012Validator

SCHEMAS = sorted((REAL / "schema").glob("*.json"))


def objects(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of a schema that describes an object by its properties and is not a condition."""
    if isinstance(node, dict):
        if "properties" in node and not path.endswith("/if"):
            yield path, node
        for key, value in node.items():
            yield from objects(value, f"{path}/{key}")
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from objects(value, f"{path}/{i}")


def test_there_is_one_for_every_kind() -> None:
    assert {p.name for p in SCHEMAS} == {f"{k}.schema.json" for k in ("counters", "sysctl", "tcp_fsm", "abi", "calls")}


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda p: p.name)
def test_valid_and_closed(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    closed_by_branches = {"/$defs/stub"}  # each kind lists its own keys
    for where, node in objects(schema):
        if where not in closed_by_branches:
            assert node.get("additionalProperties") is False, where
