# SPDX-License-Identifier: BSD-3-Clause
"""poll, select and epoll: a program of many cases must say the same with the system's libc and with the patched one.

READINESS_CASES=name,... runs only these.
"""

from __future__ import annotations

import difflib
import os
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from conftest import Net
from harness.machine import Machine

FOLDER = Path(__file__).parent / "readiness"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.c") if path.stem != "cases")
WRONG_ON_PURPOSE = ["-Wno-nonnull", "-Wno-stringop-overflow"]


def _build(name: str, folder: Path) -> Path:
    out = folder / f"cases-{name}"
    command = ["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror", *WRONG_ON_PURPOSE]
    subprocess.run([*command, "-pthread", "-o", out, FOLDER / f"{name}.c", FOLDER / "cases.c"], check=True)
    return out


def _run(net: Net, machine: Machine, program: Path, server: Path, *, carried: bool) -> dict[str, list[str]]:
    """What each case said."""
    pair = net.pair
    only = [name for name in os.environ.get("READINESS_CASES", "").split(",") if name]
    out = machine.run(
        program, pair.host_ip, pair.peer_ip, pair.host_ip6, pair.peer_ip6, server, *only,
        env={"CARRIED": "1"} if carried else {}, timeout=240,
    )  # fmt: skip
    said: dict[str, list[str]] = defaultdict(list)
    for line in out.splitlines():
        case, _, text = line.partition(": ")
        said[case].append(text)
    return said


@pytest.mark.parametrize("name", PROGRAMS)
def test_readiness_is_the_kernels(joyride: Net, name: str) -> None:
    program = _build(name, joyride.folder)
    server = joyride.peer.file("sockets")
    joyride.pair.peer.sysctl("net.ipv4.icmp_ratelimit", 0)
    with joyride.peer.running([program, "--serve", server]) as peer:
        peer.wait_for_log("serving")
        wanted = _run(joyride, joyride.kernel_host, program, server, carried=False)
        found = _run(joyride, joyride.host, program, server, carried=True)
    assert list(wanted) == list(found)
    differences = [
        line
        for case in wanted
        for line in difflib.unified_diff(wanted[case], found[case], f"{case} on the kernel", f"{case} on Joyride", n=99)
    ]
    assert not differences, "\n".join(["", *differences])
