# SPDX-License-Identifier: BSD-3-Clause
"""Symbols and disassembly of an ELF file, as binutils print them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Symbol:
    """One symbol table entry; `version` is empty in .symtab, `default` is true for name@@version."""

    name: str
    version: str
    default: bool
    kind: str
    binding: str
    visibility: str
    defined: bool
    size: int
    address: int


ROW = re.compile(
    r"^\s*\d+:\s+([0-9a-f]+)\s+(0x[0-9a-f]+|\d+)\s+(\S+)\s+(\S+)\s+(\S+)(?:\s+\[[^]]*\])?\s+(\S+)\s+(\S+)(?:\s+\(\d+\))?$"
)


def _run(*argv: str | Path) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def _symbols(path: Path, table: str) -> list[Symbol]:
    found = []
    for line in _run("readelf", "-W", table, path).splitlines():
        row = ROW.match(line)
        if not row:
            continue
        value, size, kind, binding, visibility, section, full = row.groups()
        name, _, version = full.partition("@")
        found.append(
            Symbol(
                name=name,
                version=version.lstrip("@"),
                default=version.startswith("@"),
                kind=kind,
                binding=binding,
                visibility=visibility,
                defined=section != "UND",
                size=int(size, 0),
                address=int(value, 16),
            )
        )
    assert found, f"no symbols in {path} ({table})"
    return found


def exported(path: Path) -> list[Symbol]:
    """The dynamic symbols that the file defines."""
    return [symbol for symbol in _symbols(path, "--dyn-syms") if symbol.defined]


def all_symbols(path: Path) -> list[Symbol]:
    """The whole symbol table, local symbols too."""
    return _symbols(path, "-s")


def dynamic_tags(path: Path) -> set[tuple[str, str]]:
    """(tag, string) of NEEDED and SONAME, and the names of the version definitions as ("VERDEF", name)."""
    section = _run("readelf", "-W", "-d", path)
    tags = {(tag, value) for tag, value in re.findall(r"\((NEEDED|SONAME)\).*\[(.*)\]", section)}
    section = _run("readelf", "-W", "-V", path).split("Version definition section")[1].split("Version needs section")[0]
    return tags | {("VERDEF", name) for name in re.findall(r"Name: (\S+)", section)}


def disassemble(path: Path, symbol: Symbol) -> str:
    """The code of one function."""
    stop = symbol.address + symbol.size
    return _run(
        "objdump", "-d", "--no-show-raw-insn", f"--start-address={symbol.address:#x}", f"--stop-address={stop:#x}", path
    )


def called_by_name(path: Path) -> set[str]:
    """Functions that the file reaches through its PLT: another object may put its own in their place."""
    rows = _run("readelf", "-W", "-r", path).splitlines()
    return {row.split()[4].split("@")[0] for row in rows if "JUMP_SLOT" in row or "JUMP_SLO" in row}
