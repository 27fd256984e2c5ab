# SPDX-License-Identifier: BSD-3-Clause
"""Checks that every folder includes only what its layer may see.

The rule is the table below; `X -> Y` means that a file in X may include headers of Y, and every folder its own. Tests
(`*_test.c`) and the helpers for tests may reach anything that needs no DPDK.
"""

from __future__ import annotations

import re
from pathlib import Path

from ci.tree import REPO, finish, tracked

GENERATED = {"jr_abi.h", "jr_counters.h", "jr_tcp_fsm.h", "jr_dispatch.h", "jr_sysctl_fields.h", "jr_sysctl_stacks.h"}
MAY_INCLUDE = {
    "base": set[str](),
    "wire": {"base"},
    "link": {"dev/dev.h", "wire", "base"},
    "ip": {"link", "wire", "base"},
    "udp": {"ip", "wire", "base"},
    "tcp": {"ip", "wire", "base"},
    "sysctl": {"tcp", "udp", "ip", "base"},
    "dev": {"bpf", "base"},
    "bpf": {"base"},
    "shm": {"base"},
    "sock": {"tcp", "udp", "ip", "shm", "base"},
    "ctl": {"shm", "sock", "base"},
    "main": {"sysctl", "ctl", "shm", "sock", "tcp", "udp", "ip", "link", "dev", "wire", "base", "bpf"},
}
GENERATED_FOR = {
    "jr_abi.h": {"shm", "sock", "ctl", "main"},
    "jr_dispatch.h": {"shm", "sock", "ctl", "main"},
    "jr_tcp_fsm.h": {"tcp", "sock", "main"},
}
MAY_SEE_DPDK = {"dev", "main"}
EXCEPTIONS = REPO / "ci/layer-exceptions.txt"
_INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)


def folder_of(header: str) -> str | None:
    """The folder of a header that was included by its path from netsvc/; None when it has none."""
    return header.split("/", 1)[0] if "/" in header else None


def complaint(path: Path, header: str, system: bool) -> str | None:
    """Why `path` may not include `header`; None when it may."""
    layer = path.parts[1] if len(path.parts) > 2 else ""
    if header.startswith("rte_"):
        return None if layer in MAY_SEE_DPDK else "only dev/ and main/ see DPDK"
    if header in GENERATED_FOR:
        allowed = layer in GENERATED_FOR[header] or path.stem.endswith("_test")
        return None if allowed else f"{layer}/ may not see {header}"
    target = folder_of(header)
    if system or target is None or header in GENERATED or layer not in MAY_INCLUDE or target not in MAY_INCLUDE:
        return None
    if target == layer or target in MAY_INCLUDE[layer] or header in MAY_INCLUDE[layer]:
        return None
    if path.stem.endswith("_test") and target not in MAY_SEE_DPDK:
        return None
    return f"{layer}/ may not include {target}/"


def exceptions() -> set[tuple[str, str]]:
    """Pairs (file, header) that are allowed for a written reason: `FILE HEADER: reason` a line."""
    if not EXCEPTIONS.exists():
        return set()
    lines = [
        line.partition(":")[0].split()
        for line in EXCEPTIONS.read_text().splitlines()
        if line.strip()[:1] not in ("", "#")
    ]
    return {(line[0], line[1]) for line in lines}


def main() -> None:
    """Check every C file below netsvc/ and the client."""
    found = []
    allowed = exceptions()
    for path in tracked("netsvc/*.c", "netsvc/*.h", "netsvc/**/*.c", "netsvc/**/*.h"):
        for mark, header in _INCLUDE.findall((REPO / path).read_text()):
            why = complaint(path, header, mark == "<")
            if why and (str(path), header) not in allowed:
                found.append(f"{path}: includes {header}: {why}")
    for path in tracked("glibc-patches/client/*.[ch]"):
        for _mark, header in _INCLUDE.findall((REPO / path).read_text()):
            if (folder_of(header) or "") in MAY_INCLUDE or header.startswith("rte_"):
                found.append(f"{path}: includes {header}: the client sees jr_abi.h and libc only")
    finish("layers", found)


if __name__ == "__main__":
    main()
