# SPDX-License-Identifier: BSD-3-Clause
"""The same program of many small cases on both stacks: every line it prints must be the same.

What knowingly differs stands in docs/calls.md with the reason, one row a line or group of lines; a row that no longer
differs fails the test too.
"""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import Net
from harness.machine import REPO

SOURCES = sorted((Path(__file__).parent / "calls").glob("*.c"))
PAGE = REPO / "docs/calls.md"
CASES = sorted(name for path in SOURCES for name in re.findall(r"^CASE\((\w+)\)", path.read_text(), re.MULTILINE))
GROUPS = sorted({name.split("_")[0] for name in CASES})
TIMEOUT = 240


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cases, compiled for the host's libc."""
    target = tmp_path_factory.mktemp("diff") / "diff"
    subprocess.run(["gcc", "-O1", "-g", "-std=gnu11", "-w", "-o", target, *SOURCES, "-pthread"], check=True)
    return target


def known() -> dict[str, str]:
    """Lines that differ, as patterns, and why: the table of docs/calls.md."""
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", PAGE.read_text(), re.MULTILINE)
    return {pattern: why.strip() for pattern, why in rows}


def lines(net: Net, program: Path, prefix: str, *, joyride: bool) -> dict[str, str]:
    """What the program prints, by the case and the number of the step."""
    machine = net.host if joyride else net.kernel_host
    out = machine.run(
        program, net.pair.host_ip, net.pair.peer_ip, f"/run/netns/{net.pair.peer.name}", prefix,
        timeout=TIMEOUT, env={"DIFF_CARRIED": "1"} if joyride else {},
    )  # fmt: skip
    split = (line.split(" ", 1) for line in out.splitlines())
    return {parts[0]: parts[-1] for parts in split}


@pytest.mark.parametrize("group", GROUPS)
def test_calls_answer_as_the_kernels(joyride: Net, program: Path, group: str) -> None:
    prefix = os.environ.get("DIFF_CASES", group + "_")
    joyride.pair.peer.run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0")
    before = joyride.running_service.counters()
    ours = lines(joyride, program, prefix, joyride=True)
    if group != "socket":
        joyride.running_service.rise(before, "sock_made")
    theirs = lines(joyride, program, prefix, joyride=False)
    expected = known()
    seen = set()
    wrong = []
    for step in sorted(ours.keys() | theirs.keys()):
        a, b = theirs.get(step, "(no line)"), ours.get(step, "(no line)")
        if a == b:
            continue
        reasons = [pattern for pattern in expected if fnmatch.fnmatchcase(f"{step} {a}", pattern)]
        seen.update(reasons)
        if not reasons:
            wrong.append(f"{step}\n    kernel:  {a}\n    joyride: {b}")
    assert not wrong, f"{len(wrong)} lines differ\n" + "\n".join(wrong)
    stale = {p for p in expected if p.split(".")[0].split("_")[0] == group} - seen
    assert not stale or "DIFF_CASES" in os.environ, f"these no longer differ: {sorted(stale)}"
