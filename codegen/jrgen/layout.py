# SPDX-License-Identifier: BSD-3-Clause
"""Shared structs laid out byte by byte: no compiler padding, natural alignment, one writer for each cache line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from jrgen.source import Where

LINE = 64
OTHER_SIDE_FREE = {None, "both"}  # writers that may share a cache line with anybody


@dataclass(frozen=True)
class Scalar:
    """A fixed-width integer."""

    c_type: str
    size: int


SCALARS = {
    "u8": Scalar("uint8_t", 1),
    "u16": Scalar("uint16_t", 2),
    "u32": Scalar("uint32_t", 4),
    "u64": Scalar("uint64_t", 8),
    "i32": Scalar("int32_t", 4),
    "i64": Scalar("int64_t", 8),
}


@dataclass(frozen=True)
class Field:
    """A member of a shared struct at its place. Padding has pad set and no writer."""

    name: str
    type: Scalar | Struct
    dims: tuple[int, ...]
    dims_text: tuple[str, ...]
    offset: int
    writer: str | None
    roles: dict[str, str]
    atomic: bool
    futex: bool
    pad: bool
    doc: str
    where: Where

    @property
    def size(self) -> int:
        """Bytes, of all elements."""
        return self.type.size * prod(self.dims)

    @property
    def end(self) -> int:
        """Offset of the byte behind it."""
        return self.offset + self.size

    @property
    def align(self) -> int:
        """Bytes its offset must be a multiple of."""
        return self.type.align if isinstance(self.type, Struct) else self.type.size

    @property
    def declaration(self) -> str:
        """The C member without its semicolon."""
        c_type = f"struct {self.type.name}" if isinstance(self.type, Struct) else self.type.c_type
        return f"{c_type} {self.name}" + "".join(f"[{d}]" for d in self.dims_text)

    @property
    def type_text(self) -> str:
        """Its type for tables, such as u64[4]."""
        base = self.type.name if isinstance(self.type, Struct) else self.type.c_type.removesuffix("_t")
        return base + "".join(f"[{d}]" for d in self.dims_text)

    @property
    def writers_text(self) -> str:
        """Who writes it, for tables; of an embedded struct its producer and consumer."""
        return ", ".join(f"{who} as {role}" for role, who in self.roles.items()) or self.writer or ""

    @property
    def note(self) -> str:
        """What a reader must know: how it is accessed, then its doc."""
        access = "futex" if self.futex else "atomic" if self.atomic else ""
        return "; ".join(part for part in (access, self.doc) if part)


@dataclass(frozen=True)
class Group:
    """Fields that belong together, usually one or more cache lines with one writer."""

    doc: str
    writer: str | None
    offset: int
    size: int
    fields: tuple[Field, ...]

    @property
    def heading(self) -> str:
        """What it is and who writes it, for a comment; may be empty."""
        by = {None: "", "both": "written by both sides"}.get(self.writer, f"written by the {self.writer}")
        return "; ".join(part for part in (self.doc, by) if part)


@dataclass(frozen=True)
class Struct:
    """A laid-out struct."""

    name: str
    doc: str
    shared: bool
    groups: tuple[Group, ...]
    where: Where

    @property
    def fields(self) -> list[Field]:
        """All members in order, padding too."""
        return [f for g in self.groups for f in g.fields]

    @property
    def named_fields(self) -> list[Field]:
        """All members but padding."""
        return [f for f in self.fields if not f.pad]

    @property
    def size(self) -> int:
        """Bytes."""
        return self.fields[-1].end if self.fields else 0

    @property
    def align(self) -> int:
        """Bytes, the largest of its members."""
        return max((f.align for f in self.fields), default=1)

    def spans(self, base: int = 0, inherit: str | None = None, roles: dict[str, str] | None = None) -> Iterator[Span]:
        """Every scalar with its writer, embedded structs opened up.

        `inherit` is the writer for what names none; `roles` says who a struct's producer and consumer are.
        """
        for field in self.named_fields:
            writer = field.writer or inherit
            writer = (roles or {}).get(writer or "", writer)
            if not isinstance(field.type, Struct):
                yield Span(base + field.offset, base + field.end, writer, field)
                continue
            for i in range(prod(field.dims)):
                inner = field.type.spans(base + field.offset + i * field.type.size, writer, field.roles)
                yield from (replace(span, field=field) for span in inner)

    def mixed_lines(self) -> Iterator[tuple[Field, int, list[str]]]:
        """Cache lines with more than one writer: the last field in it, the line's offset, the writers."""
        lines: dict[int, list[Span]] = {}
        for span in self.spans():
            for line in range(span.start // LINE, (span.end - 1) // LINE + 1):
                lines.setdefault(line, []).append(span)
        for line, spans in sorted(lines.items()):
            writers = sorted({s.writer for s in spans if s.writer is not None and s.writer not in OTHER_SIDE_FREE})
            if len(writers) > 1:
                yield spans[-1].field, line * LINE, writers


@dataclass(frozen=True)
class Span:
    """Bytes of a struct, who writes them, and the struct's own field that they are in."""

    start: int
    end: int
    writer: str | None
    field: Field
