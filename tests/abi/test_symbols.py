# SPDX-License-Identifier: BSD-3-Clause
"""What the patched libc exports is what the distribution's exports, and every hooked name leads to the hook."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import elf_symbols as elf
import pytest
import yaml

pytestmark = pytest.mark.abi

REPO = Path(__file__).resolve().parents[2]
STOCK = {
    "libc.so.6": Path("/lib/x86_64-linux-gnu/libc.so.6"),
    "ld.so": Path("/lib64/ld-linux-x86-64.so.2"),
}


def stock(name: str) -> Path:
    if not STOCK[name].is_file():
        pytest.skip(f"the distribution's {name} is not at {STOCK[name]}")
    return STOCK[name]


@cache
def calls() -> dict[str, dict[str, Any]]:
    """Every call of codegen/spec/calls by its name."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((REPO / "codegen/spec/calls").glob("*.yaml")):
        for call in yaml.safe_load(path.read_text())["calls"]:
            found[call["name"]] = call
    return found


def hooked() -> list[str]:
    return [name for name, call in calls().items() if call["stub"]["kind"] != "none"]


def interface(path: Path) -> set[tuple[object, ...]]:
    """All that a program can depend on; the size counts for data only (a copy relocation has it)."""
    return {
        (s.name, s.version, s.default, s.kind, s.binding, s.visibility, s.size if s.kind in {"OBJECT", "TLS"} else None)
        for s in elf.exported(path)
    }


@pytest.mark.parametrize("name", ["libc.so.6", "ld.so"])
def test_exports_exactly_what_the_distribution_does(libc_dir: Path, name: str) -> None:
    ours, theirs = interface(libc_dir / name), interface(stock(name))
    if ("VERDEF", "GLIBC_2.41") in elf.dynamic_tags(stock(name)):  # there, sendfile64 has a file of its own
        ours = {(*s[:4], "GLOBAL", *s[5:]) if s[0] == "sendfile64" else s for s in ours}
    assert sorted(map(str, ours - theirs)) == []
    assert sorted(map(str, theirs - ours)) == []


@pytest.mark.parametrize("name", ["libc.so.6", "ld.so"])
def test_needs_and_defines_the_same_versions(libc_dir: Path, name: str) -> None:
    assert elf.dynamic_tags(libc_dir / name) == elf.dynamic_tags(stock(name))


def test_calls_nothing_more_by_name(libc_dir: Path) -> None:
    """A program with a dup2 of its own must not get libc's internal calls, the client's included."""
    assert elf.called_by_name(libc_dir / "libc.so.6") == elf.called_by_name(stock("libc.so.6"))


def test_loader_is_not_hooked(libc_dir: Path) -> None:
    assert [s.name for s in elf.all_symbols(libc_dir / "ld.so") if s.name.startswith("__jr")] == []


def test_nothing_of_the_client_is_visible(libc_dir: Path) -> None:
    visible = [s.name for s in elf.all_symbols(libc_dir / "libc.so.6") if "jr_" in s.name and s.binding != "LOCAL"]
    assert visible == []


@cache
def table(path: Path) -> dict[str, list[elf.Symbol]]:
    found: dict[str, list[elf.Symbol]] = {}
    for symbol in elf.all_symbols(path):
        if symbol.defined and symbol.kind in {"FUNC", "OBJECT"}:
            found.setdefault(symbol.name, []).append(symbol)
    return found


# Functions hooked by hand that are no socket calls, with their aliases.
OTHERS = {
    "syscall": {"syscall"},
    "_Fork": {"_Fork"},
    "execve": {"execve", "__execve"},
    "execveat": {"execveat"},
    "fexecve": {"fexecve"},
    "readlink": {"readlink", "__readlink"},
    "readlinkat": {"readlinkat"},
    "fstat": {"fstat", "fstat64"},
    "__fxstat": {"__fxstat", "__fxstat64"},
}


@pytest.mark.parametrize("name", [*hooked(), *OTHERS])
def test_every_alias_leads_to_the_hook(libc_dir: Path, name: str) -> None:
    libc = libc_dir / "libc.so.6"
    names = OTHERS.get(name) or {symbol["name"] for symbol in calls()[name]["symbols"]}
    names = names | {f"__GI_{alias}" for alias in names}
    found = [symbol for alias in sorted(names) for symbol in table(libc).get(alias, [])]
    assert found, f"libc has no {name}"
    # Either to the client itself, or to another of the call's own names.
    ways = ["<__jr_", *(f"<{alias}>" for alias in names)]
    for symbol in found:
        code = elf.disassemble(libc, symbol).split(">:", 1)[1]
        assert any(way in code for way in ways), f"{symbol.name} at {symbol.address:#x} goes to the kernel only"


def test_hook_costs_one_load_and_one_branch(libc_dir: Path) -> None:
    """read() starts with the guard: compare the fd with the limit in memory, jump away if below."""
    libc = libc_dir / "libc.so.6"
    code = elf.disassemble(libc, table(libc)["read"][0]).split("<", 1)[1].splitlines()[1:]
    words = [line.split("\t")[-1].split()[0] for line in code if "\t" in line]
    system_call = next(word for word in words if word in {"syscall", "call"})  # from 2.41 on, by __syscall_cancel
    guard = words[: words.index(system_call)]
    assert Counter(guard)["cmp"] >= 1
    assert any("__jr_fd_limit" in line for line in code[:3]), code[:4]
    assert len(guard) <= (8 if system_call == "syscall" else 12), guard
