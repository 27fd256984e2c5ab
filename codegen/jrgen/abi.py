# SPDX-License-Identifier: BSD-3-Clause
"""The shared header as data: spec/abi.yaml. Constants, enums, structs, commands in cells, control messages."""

from __future__ import annotations

from dataclasses import dataclass

from jrgen import schema
from jrgen.expr import ExprError, evaluate
from jrgen.layout import Struct
from jrgen.source import Document, Problems, SpecDir, Where
from jrgen.structs import StructReader

_SUFFIX = {"u32": "u", "u64": "ull", "i32": ""}
_LIMIT = {"u32": 1 << 32, "u64": 1 << 64, "i32": 1 << 31}


@dataclass(frozen=True)
class Constant:
    """A #define."""

    name: str
    value: int
    type: str
    hex: bool
    formula: str
    doc: str

    @property
    def text(self) -> str:
        """The C literal."""
        return (f"0x{self.value:08x}" if self.hex else str(self.value)) + _SUFFIX[self.type]

    @property
    def note(self) -> str:
        """How it comes about, and its doc."""
        return "; ".join(part for part in (self.formula, self.doc) if part)


@dataclass(frozen=True)
class EnumValue:
    """One name of an enum; text is its C value."""

    name: str
    value: int
    text: str
    doc: str


@dataclass(frozen=True)
class Enum:
    """A C enum: numbers, or bits."""

    name: str
    doc: str
    values: tuple[EnumValue, ...]


@dataclass(frozen=True)
class Message:
    """A command in a cell, or a message on the control socket."""

    name: str
    id: int
    c_name: str
    doc: str
    request: Struct
    reply: Struct
    request_fds: str
    reply_fds: str
    where: Where


@dataclass(frozen=True)
class Check:
    """A relation that must hold, also told to the compiler."""

    expr: str
    c_expr: str


@dataclass(frozen=True)
class Abi:
    """All of the shared header."""

    version: int
    constants: tuple[Constant, ...]
    enums: tuple[Enum, ...]
    structs: tuple[Struct, ...]
    commands: tuple[Message, ...]
    control: tuple[Message, ...]
    checks: tuple[Check, ...]

    @property
    def all_structs(self) -> list[Struct]:
        """Every struct of the header, in its order."""
        messages = [*self.commands, *self.control]
        return [*self.structs, *(s for m in messages for s in (m.request, m.reply))]

    def canonical(self) -> str:
        """The layout as text: everything two sides must agree on, and nothing else."""
        lines = [f"version {self.version}"]
        lines += [f"const {c.name} {c.value}" for c in self.constants]
        for enum in self.enums:
            lines += [f"enum {enum.name} {v.name} {v.value}" for v in enum.values]
        for struct in self.all_structs:
            lines.append(f"struct {struct.name} {struct.size}")
            for f in struct.named_fields:
                lines.append(f"  {f.offset} {f.size} {f.type_text} {f.name} {'atomic' if f.atomic else '-'}")
        for kind, messages in (("cmd", self.commands), ("ctl", self.control)):
            lines += [f"{kind} {m.id} {m.name}" for m in messages]
        return "\n".join(lines) + "\n"

    @property
    def checksum(self) -> int:
        """FNV-1a, 32 bits, of the canonical layout."""
        value = 0x811C9DC5
        for byte in self.canonical().encode():
            value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
        return value


class _Reader:
    """Builds an Abi from the document, collecting problems on the way.

    Constants, array sizes and structs may name each other in any order: a name is worked out when first asked for.
    """

    def __init__(self, doc: Document, problems: Problems) -> None:
        self.doc = doc
        self.problems = problems
        self.constant_at: dict[str, int] = {}
        self.constants: dict[str, Constant | None] = {}
        self.names: dict[str, Where] = {}
        self.structs = StructReader(doc, problems, self.number)

    def claim(self, name: str, where: Where) -> None:
        """Note a C name; each may be given once."""
        if name in self.names:
            other = self.names[name]
            self.problems.add(where, f"name '{name}' is already in {other.file.name}:{other.line}")
        self.names.setdefault(name, where)

    def number(self, value: int | str) -> int:
        """A number, or the value of an expression. Raises ExprError."""
        return value if isinstance(value, int) else evaluate(value, self.constant_value, self.structs.size_of)

    def constant_value(self, name: str) -> int:
        """The value of a constant. Raises ExprError when there is none, or it depends on itself."""
        if name not in self.constant_at:
            raise ExprError(f"unknown constant '{name}'")
        if name not in self.constants:
            self.constants[name] = None
            self.constants[name] = self.read_constant(self.constant_at[name])
        constant = self.constants[name]
        if constant is None:
            raise ExprError(f"constant '{name}' has no value, or depends on itself")
        return constant.value

    def read_constant(self, i: int) -> Constant | None:
        """The i-th constant; None, with a problem noted, when it can't be worked out."""
        item = self.doc.data["constants"][i]
        where = self.doc.where("constants", i, "value")
        kind = item.get("type", "u32")
        try:
            value = self.number(item["value"])
        except ExprError as err:
            self.problems.add(where, str(err))
            return None
        if not -_LIMIT[kind] * (kind == "i32") <= value < _LIMIT[kind]:
            self.problems.add(where, f"{value} does not fit {kind}")
        formula = item["value"] if isinstance(item["value"], str) else ""
        return Constant(item["name"], value, kind, item.get("hex", False), formula, item.get("doc", ""))

    def read_constants(self) -> tuple[Constant, ...]:
        """Every constant that has a value."""
        items = self.doc.data.get("constants", [])
        for i, item in enumerate(items):
            self.claim(item["name"], self.doc.where("constants", i, "name"))
            self.constant_at.setdefault(item["name"], i)
        for name in self.constant_at:
            try:
                self.constant_value(name)
            except ExprError:
                continue  # noted where it was read
        return tuple(c for name in self.constant_at if (c := self.constants[name]) is not None)

    def read_enums(self) -> tuple[Enum, ...]:
        """Every enum; within one, a value is given once."""
        enums = []
        for i, item in enumerate(self.doc.data.get("enums", [])):
            self.claim(item["name"], self.doc.where("enums", i, "name"))
            values: list[EnumValue] = []
            for j, v in enumerate(item["values"]):
                where = self.doc.where("enums", i, "values", j)
                self.claim(v["name"], where)
                number = 1 << v["bit"] if "bit" in v else v["value"]
                text = f"1 << {v['bit']}" if "bit" in v else str(v["value"])
                same = next((o.name for o in values if o.value == number), None)
                if same is not None:
                    self.problems.add(where, f"{v['name']} has the value of {same}")
                values.append(EnumValue(v["name"], number, text, v.get("doc", "")))
            enums.append(Enum(item["name"], item.get("doc", ""), tuple(values)))
        return tuple(enums)

    def read_messages(self, key: str, prefix: str, struct_prefix: str, limit: str | None) -> tuple[Message, ...]:
        """The commands or control messages: ids run from 1 without gaps, payloads fit `limit` (a constant)."""
        messages: list[Message] = []
        for i, item in enumerate(self.doc.data.get(key, [])):
            where = self.doc.where(key, i, "name")
            c_name = prefix + item["name"].upper()
            self.claim(c_name, where)
            if item["id"] != i + 1:
                self.problems.add(self.doc.where(key, i, "id"), f"id {item['id']} is out of order: {i + 1} comes here")
            halves = []
            for half, short, writer in (("request", "req", "app"), ("reply", "rep", "service")):
                name = f"{struct_prefix}{item['name']}_{short}"
                struct = self.structs.read(name, f"{half} of {c_name}", item[half], (key, i, half), writer)
                if limit in self.constant_at and struct.size > self.number(limit):
                    self.problems.add(self.doc.where(key, i, half), f"{half} is {struct.size} bytes, {limit} is less")
                halves.append(struct)
            messages.append(
                Message(
                    item["name"],
                    item["id"],
                    c_name,
                    item["doc"],
                    halves[0],
                    halves[1],
                    item["request"].get("fds", ""),
                    item["reply"].get("fds", ""),
                    where,
                )
            )
        return tuple(messages)

    def read_checks(self) -> tuple[Check, ...]:
        """The relations, each found true."""
        checks = []
        for i, text in enumerate(self.doc.data.get("checks", [])):
            where = self.doc.where("checks", i)
            try:
                if not self.number(text):
                    self.problems.add(where, f"check fails: {text}")
            except ExprError as err:
                self.problems.add(where, str(err))
            checks.append(Check(text, text.replace("sizeof(", "sizeof(struct ")))
        return tuple(checks)

    def read(self) -> Abi:
        """Everything. Raises SpecError."""
        data = self.doc.data
        for i, item in enumerate(data.get("structs", [])):
            self.claim(item["name"], self.doc.where("structs", i, "name"))
        self.structs.announce(data.get("structs", []))
        constants = self.read_constants()
        enums = self.read_enums()
        structs = self.structs.read_all()
        self.problems.stop_if_any()
        commands = self.read_messages("commands", "JR_CMD_", "jr_abi_cmd_", "JR_CELL_PAYLOAD")
        control = self.read_messages("control", "JR_CTL_", "jr_abi_ctl_", None)
        checks = self.read_checks()
        self.problems.stop_if_any()
        return Abi(data["version"], constants, enums, structs, commands, control, checks)


def load(spec: SpecDir) -> Abi:
    """The shared header's model. Raises SpecError."""
    problems = Problems()
    doc = spec.load("abi.yaml")
    schema.check(doc, "abi", problems)
    problems.stop_if_any()
    return _Reader(doc, problems).read()
