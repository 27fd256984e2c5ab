# SPDX-License-Identifier: BSD-3-Clause
"""Reads structs of spec/abi.yaml and lays them out, checking offsets, sizes, alignment and writers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from jrgen.expr import ExprError
from jrgen.layout import SCALARS, Field, Group, Scalar, Struct
from jrgen.source import Document, Key, Problems, Where

Path = tuple[Key, ...]


class _Cursor:
    """Where the next member of a struct goes."""

    def __init__(self) -> None:
        self.at = 0

    def padding(self, size: int, where: Where) -> Field:
        """Explicit padding of `size` bytes, in words where it can be; named later."""
        unit = SCALARS["u32"] if self.at % 4 == 0 and size % 4 == 0 else SCALARS["u8"]
        count = size // unit.size
        dims = (count,) if count > 1 else ()
        text = tuple(str(d) for d in dims)
        field = Field("pad", unit, dims, text, self.at, None, {}, False, False, True, "", where)
        self.at = field.end
        return field


def _name_padding(groups: list[Group]) -> tuple[Group, ...]:
    """Number the padding of a struct: one alone stays pad, several are pad0, pad1, …."""
    if sum(f.pad for g in groups for f in g.fields) < 2:
        return tuple(groups)
    serial = count()
    return tuple(
        replace(g, fields=tuple(replace(f, name=f"pad{next(serial)}") if f.pad else f for f in g.fields))
        for g in groups
    )


class StructReader:
    """Turns YAML structs into layouts; a struct may be asked for before its turn."""

    def __init__(self, doc: Document, problems: Problems, number: Callable[[int | str], int]) -> None:
        self.doc = doc
        self.problems = problems
        self.number = number
        self.items: list[Any] = []
        self.index: dict[str, int] = {}
        self.done: dict[str, Struct | None] = {}

    def announce(self, items: list[Any]) -> None:
        """Make the structs' names known before any is read."""
        self.items = items
        for i, item in enumerate(items):
            self.index.setdefault(item["name"], i)

    def get(self, name: str) -> Struct:
        """The layout of a struct. Raises ExprError when there is none, or it holds itself."""
        if name not in self.index:
            raise ExprError(f"unknown type '{name}'")
        if name not in self.done:
            self.done[name] = None
            i = self.index[name]
            item = self.items[i]
            self.done[name] = self.read(name, item["doc"], item, ("structs", i), item.get("writer"))
        struct = self.done[name]
        if struct is None:
            raise ExprError(f"struct '{name}' holds itself")
        return struct

    def size_of(self, name: str) -> int:
        """Bytes of a struct. Raises ExprError."""
        return self.get(name).size

    def read_all(self) -> tuple[Struct, ...]:
        """Every announced struct, in the order written; one may only hold those before it."""
        return tuple(self.get(item["name"]) for item in self.items)

    def read(self, name: str, doc: str, item: Any, path: Path, writer: str | None) -> Struct:
        """Lay one struct out; whatever is wrong becomes a problem on its line."""
        groups = item["groups"] if "groups" in item else [{"fields": item.get("fields", [])}]
        cursor = _Cursor()
        out = []
        for g, group in enumerate(groups):
            group_path = (*path, "groups", g) if "groups" in item else path
            last = g == len(groups) - 1
            size = group.get("size") if "groups" in item else None
            total = item["size"] if last else None
            out.append(self._read_group(cursor, group, group_path, group.get("writer", writer), size, total))
        struct = Struct(name, doc, item.get("shared", False), _name_padding(out), self.doc.where(*path))
        self._check_whole(struct, item, path)
        return struct

    def _read_group(
        self, cursor: _Cursor, group: Any, path: Path, writer: str | None, size: int | None, total: int | None
    ) -> Group:
        start = cursor.at
        if "at" in group:
            self._check_place(cursor, group["at"], "group", self.doc.where(*path, "at"))
        fields = [
            field
            for i, item in enumerate(group["fields"])
            if (field := self._read_field(cursor, item, (*path, "fields", i), writer)) is not None
        ]
        end = start + size if size is not None else total
        if end is not None and cursor.at < end:
            fields.append(cursor.padding(end - cursor.at, self.doc.where(*path)))
        if size is not None and cursor.at - start != size:
            where = self.doc.where(*path, "size")
            self.problems.add(where, f"group is {cursor.at - start} bytes, {size} are stated")
        return Group(group.get("doc", ""), writer, start, cursor.at - start, tuple(fields))

    def _read_field(self, cursor: _Cursor, item: Any, path: Path, writer: str | None) -> Field | None:
        where = self.doc.where(*path)
        if "pad" in item:
            return cursor.padding(item["pad"], where)
        try:
            kind = self._type(item["type"])
            counts = item.get("count", [])
            counts = counts if isinstance(counts, list) else [counts]
            dims = tuple(self.number(c) for c in counts)
        except ExprError as err:
            self.problems.add(where, str(err))
            return None
        roles = {role: item[role] for role in ("producer", "consumer") if role in item}
        futex = item.get("futex", False)
        atomic = item.get("atomic", False) or futex
        text = tuple(str(c) for c in counts)
        writer = item.get("writer", writer)
        doc = item.get("doc", "")
        field = Field(item["name"], kind, dims, text, cursor.at, writer, roles, atomic, futex, False, doc, where)
        if "at" in item:
            self._check_place(cursor, item["at"], f"field '{field.name}'", self.doc.where(*path, "at"))
        self._check_field(field, where)
        cursor.at = field.end
        return field

    def _type(self, name: str) -> Scalar | Struct:
        if name in SCALARS:
            return SCALARS[name]
        return self.get(name)

    def _check_place(self, cursor: _Cursor, at: int, what: str, where: Where) -> None:
        if at < cursor.at:
            self.problems.add(where, f"{what} at {at} overlaps what ends at {cursor.at}")
        elif at > cursor.at:
            self.problems.add(where, f"{what} is stated at {at}, but its place is {cursor.at}")

    def _check_field(self, field: Field, where: Where) -> None:
        if any(d < 1 for d in field.dims):
            self.problems.add(where, f"field '{field.name}' has no elements")
        if field.offset % field.align:
            kind = "atomic field" if field.atomic else "field"
            self.problems.add(
                where, f"{kind} '{field.name}' at {field.offset} is misaligned: it needs a multiple of {field.align}"
            )
        if field.atomic and (isinstance(field.type, Struct) or field.type.size < 4):
            self.problems.add(where, f"atomic field '{field.name}' must have 32 or 64 bits")
        if field.futex and field.type is not SCALARS["u32"]:
            self.problems.add(where, f"futex '{field.name}' must be u32")

    def _check_whole(self, struct: Struct, item: Any, path: Path) -> None:
        names: set[str] = set()
        for field in struct.named_fields:
            if field.name in names:
                self.problems.add(field.where, f"field '{field.name}' is given twice")
            names.add(field.name)
            inner = field.type
            if isinstance(inner, Struct) and self.index.get(struct.name, len(self.items)) < self.index[inner.name]:
                self.problems.add(field.where, f"struct '{inner.name}' is defined only later")
        where = self.doc.where(*path, "size")
        if struct.size != item["size"]:
            self.problems.add(where, f"struct '{struct.name}' is {struct.size} bytes, {item['size']} are stated")
        if struct.size % struct.align:
            self.problems.add(where, f"struct '{struct.name}' needs a multiple of {struct.align} bytes")
        if struct.shared:
            for field, line, writers in struct.mixed_lines():
                by = " and ".join(writers)
                self.problems.add(field.where, f"the cache line at {line} of '{struct.name}' is written by {by}")
