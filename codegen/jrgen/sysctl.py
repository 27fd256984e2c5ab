# SPDX-License-Identifier: BSD-3-Clause
"""The engine's knobs under FreeBSD's names: spec/sysctl/<stack>.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jrgen import schema
from jrgen.source import Document, Problems, SpecDir, Where

_LIMITS = {"u32": (0, 2**32 - 1), "flag": (0, 1), "pow2": (1, 2**31), "u16": (0, 65535), "u8": (0, 255)}
_C_TYPES = {"u32": "uint32_t", "flag": "uint32_t", "pow2": "uint32_t", "u16": "uint16_t", "u8": "uint8_t"}
WORD_BYTES = 16


@dataclass(frozen=True)
class Sysctl:
    """One knob and the field of the stack's configuration struct that holds it."""

    name: str
    field: str
    type: str
    default: int | str
    min: int
    max: int
    unit: str
    choices: tuple[str, ...]
    at_most: str
    boot: bool
    help: str
    where: Where

    @property
    def c_member(self) -> str:
        """Its declaration in the struct."""
        if self.type == "word":
            return f"char {self.field}[{WORD_BYTES}]"
        if self.type == "key":
            return f"struct jr_sysctl_key {self.field}"
        return f"{_C_TYPES[self.type]} {self.field}"

    @property
    def c_default(self) -> str:
        """Its default as a C initialiser."""
        if self.type == "key":
            return "{0}"
        return f'"{self.default}"' if self.type == "word" else f"{self.default}u"

    @property
    def c_type(self) -> str:
        """Its name in enum jr_sysctl_type."""
        return f"JR_SYSCTL_{self.type.upper()}"

    @property
    def values(self) -> str:
        """What it may be, for a person."""
        if self.type == "word":
            return ", ".join(self.choices)
        if self.type == "flag":
            return "0, 1"
        if self.type == "key":
            return "32 hexadecimal digits"
        text = f"{self.min} to {self.max}"
        return f"powers of two from {text}" if self.type == "pow2" else text


@dataclass(frozen=True)
class Stack:
    """The knobs of one configuration struct."""

    part: str
    struct: str
    header: str
    sysctls: tuple[Sysctl, ...]

    @property
    def c_name(self) -> str:
        """Its name in enum jr_sysctl_stack."""
        return f"JR_SYSCTL_OF_{self.part.upper()}"


def _limits(item: dict[str, Any]) -> tuple[int, int]:
    """Smallest and largest value; of a word 0 and 0."""
    low, high = _LIMITS.get(item["type"], (0, 0))
    return item.get("min", low), item.get("max", high)


def _check_value(item: dict[str, Any], where: Where, problems: Problems) -> None:
    default, (low, high) = item["default"], _limits(item)
    if item["type"] == "word":
        if default not in item.get("choices", []):
            problems.add(where, f"default '{default}' is none of the choices")
        return
    if "choices" in item:
        problems.add(where, "only a word has choices")
    if item["type"] == "key":
        if default != "":
            problems.add(where, "a key has no default")
        return
    if not isinstance(default, int) or not low <= default <= high:
        problems.add(where, f"default {default} is not between {low} and {high}")
    elif item["type"] == "pow2" and default & (default - 1):
        problems.add(where, f"default {default} is no power of two")
    type_low, type_high = _LIMITS[item["type"]]
    if low < type_low or high > type_high:
        problems.add(where, f"{low} to {high} does not fit type {item['type']}")


def _load_stack(doc: Document, problems: Problems) -> Stack:
    sysctls = []
    for i, item in enumerate(doc.data["sysctls"]):
        where = doc.where("sysctls", i, "name")
        _check_value(item, where, problems)
        low, high = _limits(item)
        name = item["name"]
        field = item.get("field", "_".join(name.split(".")[3:]) or name.split(".")[-1])
        sysctls.append(
            Sysctl(name, field, item["type"], item["default"], low, high, item.get("unit", ""),
                   tuple(item.get("choices", ())), item.get("at_most", ""), item.get("boot", False), item["help"],
                   where)
        )  # fmt: skip
    part = doc.path.stem
    return Stack(part, doc.data["struct"], doc.data.get("header", f"{part}/{part}.h"), tuple(sysctls))


def _check_names(stacks: list[Stack], problems: Problems) -> None:
    known: dict[str, Sysctl] = {}
    for stack in stacks:
        fields: set[str] = set()
        for s in stack.sysctls:
            if s.name in known:
                other = known[s.name].where
                problems.add(s.where, f"'{s.name}' is already in {other.file.name}:{other.line}")
            if s.field in fields:
                problems.add(s.where, f"field '{s.field}' is taken: name another by `field:`")
            known.setdefault(s.name, s)
            fields.add(s.field)
    for s in known.values():
        parts = s.name.split(".")
        for n in range(1, len(parts)):
            if ".".join(parts[:n]) in known:
                problems.add(s.where, f"'{'.'.join(parts[:n])}' is a knob: it cannot hold '{s.name}'")
        if s.at_most and s.at_most not in known:
            problems.add(s.where, f"at_most: there is no '{s.at_most}'")


def load(spec: SpecDir) -> list[Stack]:
    """Every stack's knobs, by file and then in the order written. Raises SpecError."""
    problems = Problems()
    docs = [doc for doc in spec.load_all("sysctl") if schema.check(doc, "sysctl", problems)]
    stacks = [_load_stack(doc, problems) for doc in docs]
    _check_names(stacks, problems)
    problems.stop_if_any()
    return stacks
