# SPDX-License-Identifier: BSD-3-Clause
"""The first check of every spec: its JSON Schema (spec/schema/), with errors told by line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from jrgen.source import Document, Key, Problems

SCHEMA_DIR = Path(__file__).resolve().parent.parent / "spec" / "schema"


@cache
def _validator(kind: str) -> Any:
    schema = json.loads((SCHEMA_DIR / f"{kind}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _leaves(err: ValidationError) -> Iterator[ValidationError]:
    """The errors that say something: of a failed oneOf/anyOf, those of the branch that got furthest."""
    if err.context:
        deepest = max(len(e.absolute_path) for e in err.context)
        if deepest > len(err.absolute_path):
            for sub in err.context:
                if len(sub.absolute_path) == deepest:
                    yield from _leaves(sub)
            return
    yield err


def _report(doc: Document, err: ValidationError, problems: Problems) -> None:
    path: tuple[Key, ...] = tuple(err.absolute_path)
    if err.validator == "additionalProperties" and isinstance(err.instance, dict):
        known = err.schema.get("properties", {})
        for key in err.instance:
            if key not in known:
                problems.add(doc.where(*path, key), f"unknown key '{key}'")
    elif err.validator == "required" and isinstance(err.instance, dict):
        for key in err.validator_value:
            if key not in err.instance:
                problems.add(doc.where(*path), f"key '{key}' is missing")
    elif err.validator == "oneOf" and isinstance(err.instance, dict):
        keys = " or ".join(k for branch in err.validator_value for k in branch.get("required", []))
        problems.add(doc.where(*path), f"needs one of {keys}, and not both")
    elif err.validator == "pattern":
        problems.add(doc.where(*path), f"'{err.instance}' is not of the form {err.validator_value}")
    else:
        problems.add(doc.where(*path), str(err.message))


def check(doc: Document, kind: str, problems: Problems) -> bool:
    """Check a document against spec/schema/<kind>.schema.json; True when it fits."""
    before = len(problems.found)
    for err in _validator(kind).iter_errors(doc.data):
        for leaf in _leaves(err):
            _report(doc, leaf, problems)
    return len(problems.found) == before
