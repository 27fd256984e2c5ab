# SPDX-License-Identifier: BSD-3-Clause
"""Programs can't tell: each program under diff/ prints the same on the stock libc and on the patched one.

The programs (C and Go, built here, and Python) run three ways:

- wire: the other side is the peer's machine, on the kernel's stack;
- pair: both sides are on one machine, and the service's part in it is to have introduced them;
- loopback: the same where the service has the whole of loopback (`loopback = "service"`) and nothing else.

What knowingly differs stands in docs/calls.md with the reason, one row a line or group of lines; a row that no longer
differs fails, too. DIFF_CASES=PREFIX,... runs only the cases whose names begin so.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import Net, require_joyride
from harness import netns, service
from harness.machine import KERNEL, REPO, Machine
from harness.programs import PYTHON
from harness.service import Service

DIFF = Path(__file__).resolve().parent / "diff"
PAGE = REPO / "docs/calls.md"
ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
ENDINGS = ("c", "py", "go") if shutil.which("go") else ("c", "py")
PROGRAMS = sorted(f"{path.parent.name}/{path.name}" for ending in ENDINGS for path in DIFF.glob(f"*/*.{ending}"))
OWN = "own/"  # programs in this folder hold both ends themselves: over loopback only
RAW = "raw"  # programs in this folder make system calls of their own: JOYRIDE_RAW
PAIRED = ["fork", "fds", "spawn", "closing", "cancel", "signals", "scm", "rights", "copies", "listeners", "raw"]
IN_PAIRS = [f"procs/{name}.c" for name in PAIRED]
# of these some cases differ there
NOT_ON_A_WIRE = {"readiness/random.c", "readiness/wakeups.c"}  # what they do is there when the next call begins
OVER_LOOPBACK = [name for name in PROGRAMS if name.endswith(".c")]
ACROSS = [name for name in PROGRAMS if not name.startswith(OWN) and name not in NOT_ON_A_WIRE]
CASES = [name for name in os.environ.get("DIFF_CASES", "").split(",") if name]
AT_ONCE = {"readiness": 6}
LOCALHOST = ["127.0.0.1", "127.0.0.1", "::1", "::1"]
CONTROL_PORT = 7000  # the last that the peer opens
WRONG_ON_PURPOSE = ["-Wno-unused-result", "-Wno-nonnull", "-Wno-stringop-overflow"]
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror", *WRONG_ON_PURPOSE, "-pthread"]

Lines = dict[str, str]  # by the case and the number of the line


@dataclass
class Way:
    """One of the ways that the programs run: on which machines, with which addresses."""

    name: str
    host: Machine
    peer: Machine | None  # None: the same machine and stack
    svc: Service
    addresses: list[str]  # HOST PEER HOST6 PEER6
    counter: str  # rises when the service had its part in it

    def lines(self, program: str, argv: list[str], *, joyride: bool) -> Lines:
        """What a program prints on one stack."""
        folder = program.split("/", maxsplit=1)[0]
        host = self.host.on(self.svc.stack(**({"JOYRIDE_RAW": "1"} if folder == RAW else {})) if joyride else KERNEL)
        peer = self.peer or host
        env = {"DIFF_AT_ONCE": str(AT_ONCE.get(folder, 1))}
        if joyride:
            env["DIFF_CARRIED"] = "1"
        if self.peer:
            env["DIFF_PEER_NS"] = f"/run/netns/{peer.ns.name}"
        with peer.running([PYTHON, DIFF / "peer.py", self.addresses[0]]) as process:
            process.wait_for_port(host.ns, self.addresses[1], CONTROL_PORT)
            return numbered(host.run(*argv, *self.addresses, *CASES, env=env, timeout=400))


def numbered(text: str) -> Lines:
    """Lines of "case: text" by case and number; a program without cases is one."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in text.splitlines():
        case, colon, rest = line.partition(": ")
        found[case if colon else "main"].append(rest if colon else line)
    return {f"{case}.{number:02d}": line for case, lines in found.items() for number, line in enumerate(lines)}


class Known:
    """The rows of docs/calls.md: patterns of lines that differ on the wire or over loopback only; which were met."""

    def __init__(self) -> None:
        """From the page: a table for every way, and one under the heading "Over loopback"."""
        general, _, loopback = PAGE.read_text().partition("\n## Over loopback")
        self.rows = {"wire": set(ROW.findall(general)), "loopback": set(ROW.findall(loopback))}
        self.met: set[str] = set()
        self.compared: set[tuple[str, str]] = set()

    def differences(self, way: str, theirs: Lines, ours: Lines) -> list[str]:
        """The lines that differ without a row."""
        wrong = []
        rows = self.rows["wire"] | self.rows.get(way, set())
        for step in sorted(theirs.keys() | ours.keys()):
            a, b = theirs.get(step, "(no line)"), ours.get(step, "(no line)")
            if a == b:
                continue
            reasons = {row for row in rows if fnmatch.fnmatchcase(f"{step} {a}", row)}
            self.met |= reasons
            if not reasons:
                wrong.append(f"{step}\n    kernel:  {a}\n    joyride: {b}")
        return wrong

    def stale(self) -> list[str]:
        """The rows that were not met though every program with such cases ran."""
        cases = {name: re.findall(r"^CASE\((\w+)\)", (DIFF / name).read_text(), re.MULTILINE) for name in PROGRAMS}
        found = []
        for way, rows in self.rows.items():
            for row in rows - self.met:
                begin = re.split(r"[.*?\[]", row)[0]
                owners = {(way, name) for name in PROGRAMS if any(case.startswith(begin) for case in cases[name])}
                owners = {(way, name) for way, name in owners if way == "loopback" or name in ACROSS}
                if owners <= self.compared:
                    found.append(row)
        return sorted(found)


@pytest.fixture(scope="module")
def known() -> Known:
    """The known differences, and what the tests here met of them."""
    return Known()


def built(program: str, folder: Path) -> list[str]:
    """The command that runs a program, with itself as the first argument."""
    source = DIFF / program
    if source.suffix == ".py":
        return [PYTHON, str(source), str(source)]
    folder.chmod(0o755)  # some cases become other users
    binary = folder / source.stem
    if source.suffix == ".go":
        env = {**os.environ, "GOCACHE": str(folder / "go"), "CGO_ENABLED": "1", "GO111MODULE": "off"}
        subprocess.run(["go", "build", "-o", binary, source], env=env, check=True)
        return [str(binary), str(binary)]
    argv = ["gcc", *FLAGS, f"-I{DIFF}", "-o", str(binary), str(source), *map(str, DIFF.glob("*.c")), "-ldl"]
    made = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return [str(binary), str(binary)]


def compare(way: Way, program: str, known: Known) -> None:
    """Run a program on both stacks."""
    argv = built(program, way.host.folder)
    theirs = way.lines(program, argv, joyride=False)
    before = way.svc.counters()
    ours = way.lines(program, argv, joyride=True)
    wrong = known.differences(way.name, theirs, ours)
    assert not wrong, f"{len(wrong)} lines differ\n" + "\n".join(wrong)
    assert theirs, "no case printed anything"
    assert CASES or way.svc.rise(before, way.counter)
    if not CASES:
        known.compared.add((way.name, program))


@pytest.fixture
def wire(joyride: Net) -> Way:
    """The other side is the peer's machine."""
    pair = joyride.pair
    pair.peer.sysctl("net.ipv4.icmp_ratelimit", 0)
    addresses = [pair.host_ip, pair.peer_ip, pair.host_ip6, pair.peer_ip6]
    return Way("wire", joyride.host, joyride.peer, joyride.running_service, addresses, "sock_made")


@pytest.mark.parametrize("program", ACROSS)
def test_across_a_wire(wire: Way, program: str, known: Known) -> None:
    compare(wire, program, known)


@pytest.mark.parametrize("program", IN_PAIRS)
def test_in_pairs(joyride: Net, program: str, known: Known) -> None:
    """Both sides on one machine: on Joyride they share rings, without packets."""
    compare(Way("pair", joyride.host, None, joyride.running_service, LOCALHOST, "sock_pairs"), program, known)


@pytest.fixture
def loopback(folder: Path) -> Iterator[Way]:
    """A machine with nothing but loopback, which is the service's."""
    require_joyride()
    ns = netns.Namespace("alone")
    host = Machine(ns, KERNEL, folder)
    config = service.Config(ports=[], tables={"policy": {"loopback": "service"}})
    try:
        with service.running(host, config) as svc:
            yield Way("loopback", host, None, svc, LOCALHOST, "sock_made")
            svc.wait_for_sockets(0)
            assert svc.process.running, f"the service died\n{svc.process.tail()}"
            assert svc.process.stop() == 0
    finally:
        ns.close()


@pytest.mark.parametrize("program", OVER_LOOPBACK)
def test_over_loopback(loopback: Way, program: str, known: Known) -> None:
    compare(loopback, program, known)


def test_every_known_difference_is_one(known: Known) -> None:
    """Runs last: the rows of docs/calls.md that no line needs any more."""
    assert not known.stale()
