# SPDX-License-Identifier: BSD-3-Clause
"""Programs can't tell: each program under diff/ prints the same on the stock libc and on the patched one.

The programs (C and Go, built here, and Python) talk to diff/peer.py on the other machine. The second run's connections
must have been the service's, else the comparison proves nothing.
"""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Net
from harness.machine import Machine
from harness.programs import PYTHON

DIFF = Path(__file__).resolve().parent / "diff"
ENDINGS = ("c", "py", "go") if shutil.which("go") else ("c", "py")
PROGRAMS = sorted(path for ending in ENDINGS for path in DIFF.glob(f"*/*.{ending}"))
RAW = "raw"  # programs in this folder make system calls of their own: JOYRIDE_RAW
LOCALHOST = "127.0.0.1"
CONTROL_PORT = 7000  # the last that the peer opens
FLAGS = ["-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-unused-result", "-pthread", "-ldl"]


def built(source: Path, folder: Path) -> list[str]:
    """The command that runs a program."""
    if source.suffix == ".py":
        return [PYTHON, str(source), str(source)]
    folder.chmod(0o755)
    binary = folder / source.stem
    if source.suffix == ".go":
        env = {**os.environ, "GOCACHE": str(folder / "go"), "CGO_ENABLED": "1", "GO111MODULE": "off"}
        subprocess.run(["go", "build", "-o", binary, source], env=env, check=True)
        return [str(binary), str(binary)]
    argv = ["gcc", "-o", str(binary), str(source), str(DIFF / "main.c"), f"-I{DIFF}", *FLAGS]
    made = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return [str(binary), str(binary)]


@pytest.fixture
def served(joyride: Net) -> Iterator[Net]:
    """The two machines, with the other side's services running."""
    with joyride.peer.running([PYTHON, DIFF / "peer.py", joyride.pair.host_ip]) as process:
        process.wait_for_port(joyride.pair.host, joyride.pair.peer_ip, CONTROL_PORT)
        yield joyride


def output(machine: Machine, argv: list[str], net: Net) -> list[str]:
    """What the program prints on one stack."""
    return machine.run(*argv, net.pair.host_ip, net.pair.peer_ip, timeout=240).splitlines()


def local_output(machine: Machine, argv: list[str]) -> list[str]:
    """The same with the other side on the same machine and stack."""
    with machine.running([PYTHON, DIFF / "peer.py", LOCALHOST]) as process:
        process.wait_for_port(machine.ns, LOCALHOST, CONTROL_PORT)
        return machine.run(*argv, LOCALHOST, LOCALHOST, timeout=240).splitlines()


def on_joyride(net: Net, source: Path) -> Machine:
    """The machine whose libc is the patched one."""
    env = {"JOYRIDE_RAW": "1"} if source.parent.name == RAW else {}
    return net.host.on(net.running_service.stack(**env))


@pytest.mark.parametrize("source", PROGRAMS, ids=[f"{path.parent.name}-{path.stem}" for path in PROGRAMS])
def test_same_output_on_both_libcs(served: Net, source: Path) -> None:
    argv = built(source, served.folder)
    stock = output(served.kernel_host, argv, served)
    before = served.running_service.counters()
    patched = output(on_joyride(served, source), argv, served)
    assert not list(difflib.unified_diff(stock, patched, "stock", "patched", lineterm="", n=2))
    assert stock, "no case printed anything"
    assert served.running_service.rise(before, "tcp_established")


@pytest.mark.parametrize("name", ["fork", "fds", "spawn", "closing", "cancel", "signals", "scm", "raw"])
def test_same_output_between_local_programs(joyride: Net, name: str) -> None:
    """Both sides on one machine: on Joyride they share rings, without packets."""
    argv = built(DIFF / "procs" / f"{name}.c", joyride.folder)
    stock = local_output(joyride.kernel_host, argv)
    before = joyride.running_service.counters()
    patched = local_output(joyride.host, argv)
    assert not list(difflib.unified_diff(stock, patched, "stock", "patched", lineterm="", n=2))
    assert stock, "no case printed anything"
    assert joyride.running_service.rise(before, "sock_pairs")
