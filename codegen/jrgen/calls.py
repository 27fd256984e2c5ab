# SPDX-License-Identifier: BSD-3-Clause
"""The libc calls: spec/calls/*.yaml, one entry per call, and how each is hooked inside glibc (docs/libc.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from jrgen import schema
from jrgen.source import Document, Problems, SpecDir, Where

ROUTES = {
    "fd": "by the fd it is given",
    "creation": "by the domain asked for",
    "always": "goes to the client",
    "set": "by the fds in its set",
    "lifecycle": "by the fds it makes or ends",
    "range": "by the range of fds",
    "none": "not hooked",
}


@dataclass(frozen=True)
class Param:
    """A parameter: its plain type, and glibc's own where that differs."""

    name: str
    type: str
    libc: str

    @staticmethod
    def _declare(c_type: str, name: str) -> str:
        return f"{c_type}{name}" if c_type.endswith("*") else f"{c_type} {name}"

    @property
    def plain(self) -> str:
        """Declaration in the client's and the routing functions."""
        return self._declare(self.type, self.name)

    @property
    def defined(self) -> str:
        """Declaration in the definition of the libc function."""
        return self._declare(self.libc or self.type, self.name)

    @property
    def passed(self) -> str:
        """How the libc function hands it on: glibc's transparent address unions are opened."""
        return f"{self.name}.__sockaddr__" if self.libc else self.name


@dataclass(frozen=True)
class Symbol:
    """A name the function has: exported with a version, or internal (version is empty)."""

    name: str
    version: str
    where: Where

    @property
    def text(self) -> str:
        """The name as in a symbol table."""
        return f"{self.name}@{self.version}" if self.version else self.name


@dataclass(frozen=True)
class Client:
    """The client's function that owns the call for Joyride's fds."""

    name: str
    returns: str
    params: tuple[Param, ...]
    where: Where

    @property
    def prototype(self) -> str:
        """Its declaration in glibc's style, without attributes."""
        params = ", ".join(p.plain for p in self.params) or "void"
        space = "" if self.returns.endswith("*") else " "
        return f"{self.returns}{space}__jr_{self.name} ({params})"


@dataclass(frozen=True)
class Stub:
    """How the hook is written: wrap a glibc file, give the whole body, by hand in the overlay, or not at all."""

    kind: str
    file: str
    include: str
    replaces: str
    headers: tuple[str, ...]
    hide: tuple[str, ...]
    define: str
    hidden_def: bool
    weak: tuple[str, ...]
    subdir: str
    why: str


@dataclass(frozen=True)
class Call:
    """One libc call."""

    name: str
    doc: str
    part: str
    header: str
    returns: str
    params: tuple[Param, ...]
    variadic: bool
    symbols: tuple[Symbol, ...]
    reached_by: tuple[Symbol, ...]
    cancel: bool
    route: str
    of: tuple[str, ...]
    syscall: str
    kernel_args: tuple[str, ...]
    client: Client | None
    after: str
    stub: Stub
    where: Where

    @property
    def prototype(self) -> str:
        """The call as its man page declares it."""
        space = "" if self.returns.endswith("*") else " "
        params = [p.plain for p in self.params] + ["..."] * self.variadic
        return f"{self.returns}{space}{self.name}({', '.join(params) or 'void'})"

    @property
    def defined_params(self) -> str:
        """Parameter list of the libc function's definition."""
        return ", ".join(p.defined for p in self.params)

    @property
    def plain_params(self) -> str:
        """Parameter list with plain pointer types."""
        return ", ".join(p.plain for p in self.params)

    @property
    def names(self) -> str:
        """Its arguments by name."""
        return ", ".join(p.name for p in self.params)

    @property
    def passed(self) -> str:
        """Its arguments as the libc function hands them on."""
        return ", ".join(p.passed for p in self.params)

    @property
    def guard(self) -> str:
        """The C condition under which the client gets the call."""
        match self.route:
            case "creation":
                return f"__jr_wants_domain ({self.of[0]})"
            case "always":
                return "true"
            case "set":
                return "__jr_any ()"
            case "range":
                return f"{self.of[0]} < __jr_fd_limit"
            case _:
                return " || ".join(f"__jr_is_ours ({name})" for name in self.of)

    @property
    def route_text(self) -> str:
        """How it is decided who gets it, for tables."""
        return ROUTES[self.route] + (f": {', '.join(self.of)}" if self.of else "")

    @property
    def symbols_text(self) -> str:
        """Its names, exported ones with version, for docs."""
        return ", ".join(f"`{s.text}`" + ("" if s.version else " (internal)") for s in self.symbols)

    @property
    def reached_by_text(self) -> str:
        """The functions that call it, for docs."""
        return ", ".join(f"`{s.text}`" for s in self.reached_by)

    @property
    def kernel(self) -> str:
        """The kernel path: the system call's macro with its arguments."""
        macro = "SYSCALL_CANCEL" if self.cancel else "INLINE_SYSCALL_CALL"
        plain = self.passed if self.stub.kind == "body" else self.names
        args = ", ".join(self.kernel_args) or plain
        return f"{macro} ({self.syscall}, {args})" if args else f"{macro} ({self.syscall})"

    @property
    def macro_head(self) -> str:
        """The redefined macro's name and parameters, for a wrap."""
        first = "name, nr" if self.stub.replaces == "INLINE_SYSCALL" else "name"
        middle = f", {self.names}" if self.kernel_args else ""
        return f"{self.stub.replaces}({first}{middle}, ...)"

    @property
    def macro_args(self) -> str:
        """What the redefined macro hands to the routing function."""
        return self.names if self.kernel_args else "__VA_ARGS__"


def _params(items: list[Any]) -> tuple[Param, ...]:
    return tuple(Param(p["name"], p["type"], p.get("libc", "")) for p in items)


def _symbols(doc: Document, i: int, key: str, items: list[Any]) -> tuple[Symbol, ...]:
    return tuple(Symbol(s["name"], s.get("version", ""), doc.where("calls", i, key, j)) for j, s in enumerate(items))


def _stub(item: Any, name: str) -> Stub:
    stub = item["stub"]
    return Stub(
        kind=stub["kind"],
        file=stub.get("file", f"{name}.c"),
        include=stub.get("include", f"sysdeps/unix/sysv/linux/{name}.c"),
        replaces=stub.get("replaces", "SYSCALL_CANCEL" if item["cancel"] else "INLINE_SYSCALL_CALL"),
        headers=tuple(stub.get("headers", [item["header"]])),
        hide=tuple(stub.get("hide", [])),
        define=stub.get("define", f"__{name}"),
        hidden_def=stub.get("hidden_def", False),
        weak=tuple(stub.get("weak", [name])),
        subdir=stub.get("subdir", ""),
        why=stub.get("why", ""),
    )


def _client(doc: Document, i: int, item: Any) -> Client | None:
    if item["stub"]["kind"] == "none" or (item["stub"]["kind"] == "hand" and "client" not in item):
        return None
    given = item.get("client", {})
    return Client(
        given.get("name", item["name"]),
        given.get("returns", item["returns"]),
        _params(given.get("params", item["params"])),
        doc.where("calls", i, "client"),
    )


def _call(doc: Document, i: int) -> Call:
    item = doc.data["calls"][i]
    route = item.get("route", {"by": "none"})
    kernel = item.get("kernel", {})
    return Call(
        name=item["name"],
        doc=item["doc"],
        part=doc.path.stem,
        header=item["header"],
        returns=item["returns"],
        params=_params(item["params"]),
        variadic=item.get("variadic", False),
        symbols=_symbols(doc, i, "symbols", item["symbols"]),
        reached_by=_symbols(doc, i, "reached_by", item.get("reached_by", [])),
        cancel=item["cancel"],
        route=route["by"],
        of=tuple(route.get("of", [])),
        syscall=kernel.get("syscall", ""),
        kernel_args=tuple(kernel.get("args", [])),
        client=_client(doc, i, item),
        after=item.get("after", ""),
        stub=_stub(item, item["name"]),
        where=doc.where("calls", i, "name"),
    )


def _check_arguments(doc: Document, i: int, call: Call, problems: Problems) -> None:
    """Parameters are named once; the route and the kernel path name parameters that exist."""
    params = [p.name for p in call.params]
    for j, name in enumerate(params):
        if name in params[:j]:
            problems.add(doc.where("calls", i, "params", j), f"parameter '{name}' is given twice")
    for j, name in enumerate(call.of):
        if name not in params:
            problems.add(doc.where("calls", i, "route", "of", j), f"route by '{name}', which is no parameter")
    wanted = {"always": 0, "set": 0, "creation": 1, "range": 1, "none": 0}.get(call.route)
    if len(call.of) != wanted and (wanted is not None or not call.of):
        problems.add(doc.where("calls", i, "route"), f"route by {call.route} with {len(call.of)} parameters named")
    for j, arg in enumerate(call.kernel_args):
        if re.fullmatch(r"[a-z]\w*", arg) and arg not in params:
            problems.add(doc.where("calls", i, "kernel", "args", j), f"kernel argument '{arg}' is no parameter")


def _check_stub(doc: Document, i: int, call: Call, problems: Problems) -> None:
    """A generated stub has all it needs, one that isn't has a reason; what is defined is a known symbol."""
    kind = call.stub.kind
    names = {s.name for s in call.symbols}
    if call.name not in names:
        problems.add(doc.where("calls", i, "symbols"), f"no symbol is called {call.name}")
    if kind in {"hand", "none"}:
        if not call.stub.why:
            problems.add(doc.where("calls", i, "stub"), f"kind {kind} needs a reason (why)")
        return
    if not call.syscall:
        problems.add(call.where, f"call {call.name} has a {kind} but no kernel path")
    if call.route == "none":
        problems.add(call.where, f"call {call.name} has a {kind} but no route")
    if call.variadic:
        problems.add(call.where, f"call {call.name} is variadic: its stub can only be written by hand")
    if call.after and kind != "wrap":
        problems.add(doc.where("calls", i, "after"), f"kind {kind} can't do anything after the call")
    if kind == "body":
        for name in (call.stub.define, *call.stub.weak):
            if name not in names:
                problems.add(doc.where("calls", i, "stub"), f"'{name}' is defined but is not among the symbols")


def _check_together(calls: list[Call], problems: Problems) -> None:
    names: dict[str, Where] = {}
    symbols: dict[str, Where] = {}
    files: dict[str, str] = {}
    clients: dict[str, Client] = {}
    for call in calls:
        if call.name in names:
            other = names[call.name]
            problems.add(call.where, f"call {call.name} is already in {other.file.name}:{other.line}")
        names.setdefault(call.name, call.where)
        for symbol in (*call.symbols, *call.reached_by):
            if symbol.text in symbols:
                other = symbols[symbol.text]
                problems.add(symbol.where, f"symbol {symbol.text} is already in {other.file.name}:{other.line}")
            symbols.setdefault(symbol.text, symbol.where)
        if call.stub.kind in {"wrap", "body"} and files.setdefault(call.stub.file, call.name) != call.name:
            problems.add(call.where, f"{call.stub.file} is already written for {files[call.stub.file]}")
        client = call.client
        if client and clients.setdefault(client.name, client).prototype != client.prototype:
            problems.add(client.where, f"__jr_{client.name} is declared in two ways")


def _check_required(spec: SpecDir, calls: list[Call], problems: Problems) -> None:
    """Every call named in calls/required.txt has an entry or is a symbol of one: a call can't get lost."""
    name = "calls/required.txt"
    spec.inputs.add(spec.root / name)
    if not spec.has(name):
        return
    have = {s.name for c in calls for s in c.symbols}
    for line, text in enumerate((spec.root / name).read_text(encoding="utf-8").splitlines(), 1):
        for wanted in text.partition("#")[0].split():
            if wanted not in have:
                problems.add(Where(spec.root / name, line), f"call {wanted} has no entry")


def load(spec: SpecDir) -> list[Call]:
    """Every call, by file and then in the order written. Raises SpecError."""
    problems = Problems()
    calls: list[Call] = []
    for doc in spec.load_all("calls"):
        if not schema.check(doc, "calls", problems):
            continue
        for i in range(len(doc.data["calls"])):
            call = _call(doc, i)
            _check_arguments(doc, i, call, problems)
            _check_stub(doc, i, call, problems)
            calls.append(call)
    _check_together(calls, problems)
    if not problems.found:
        _check_required(spec, calls, problems)
    problems.stop_if_any()
    return calls


def clients(calls: list[Call]) -> list[Client]:
    """The client's functions, each once, in the order of the calls."""
    return list({c.client.name: c.client for c in calls if c.client}.values())
