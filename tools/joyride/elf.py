# SPDX-License-Identifier: BSD-3-Clause
"""What a program file is: a script, an ELF file with a loader, or one without (elf(5))."""

from __future__ import annotations

import os
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

_PT_INTERP = 3
_MAX_SCRIPTS = 4  # as the kernel: an interpreter may be a script itself, a few times


@dataclass(frozen=True)
class Program:
    """A program ready to be started."""

    path: Path
    args: list[str]  # argv[1:] from the script line and the caller
    name: str  # argv[0]
    interp: str | None  # None: statically linked
    privileged: bool  # set-id: the loader trick would take its rights away


def find(name: str, args: list[str]) -> Program:
    """Look a program up as execvp(3) does, and follow `#!` lines to the ELF file behind them.

    Raises:
        FileNotFoundError: there is no such program.
        ValueError: it is neither ELF nor a script.
    """
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name}: not found")
    path, shown = Path(found), name
    for _ in range(_MAX_SCRIPTS):
        with path.open("rb") as handle:
            head = handle.read(256)
        if head[:2] != b"#!":
            break
        words = head[2:].split(b"\n", 1)[0].strip().split(None, 1)
        extra = [words[1].decode().strip()] if len(words) > 1 else []
        args = [*extra, str(path), *args]
        path = Path(words[0].decode())
        shown = str(path)
    if head[:4] != b"\x7fELF":
        raise ValueError(f"{path}: neither an ELF program nor a script")
    info = path.stat()
    return Program(path, args, shown, interpreter(path), bool(info.st_mode & 0o6000) and info.st_uid != os.getuid())


def interpreter(path: Path) -> str | None:
    """The loader that an ELF file asks for; None for a static one.

    Raises:
        ValueError: it isn't a 64-bit little-endian ELF file.
    """
    data = path.open("rb").read(1 << 16)
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError(f"{path}: not a 64-bit little-endian ELF file")
    offset, entry, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    for i in range(count):
        at = offset + i * entry
        if at + 40 > len(data):
            break
        if struct.unpack_from("<I", data, at)[0] == _PT_INTERP:
            start, length = struct.unpack_from("<Q", data, at + 8)[0], struct.unpack_from("<Q", data, at + 32)[0]
            return data[start : start + length].rstrip(b"\0").decode()
    return None
