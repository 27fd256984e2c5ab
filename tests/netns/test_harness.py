# SPDX-License-Identifier: BSD-3-Clause
"""The harness itself: what it makes goes away, however a run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Net
from harness import accounting, cleanup, programs
from harness.process import wait_until

TESTS = Path(__file__).resolve().parents[1]
RUN = """
import os, sys, time
sys.path.insert(0, {tests!r})
from harness import machine, netns
with machine.work_folder() as folder, netns.veth_pair() as pair:
    m = machine.Machine(pair.host, machine.KERNEL, folder)
    process = m.start(["sleep", "1000"])
    print(os.getpid(), process.pid, flush=True)
    time.sleep(1000)
"""


def is_running(pid: int) -> bool:
    """Zombies don't count: who reaps orphans is the machine's affair."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def namespaces_of(pid: int) -> list[str]:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if line.startswith(f"jr{pid}-")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_a_run_is_ended_by(number: signal.Signals) -> None:
    child = subprocess.Popen([sys.executable, "-c", RUN.format(tests=str(TESTS))], stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.DEVNULL)  # fmt: skip
    assert child.stdout is not None
    pid, sleeper = (int(word) for word in child.stdout.readline().split())
    assert len(namespaces_of(pid)) == 2
    os.kill(pid, number)
    child.wait(10)
    child.stdout.close()
    if number == signal.SIGKILL:
        assert any(name.startswith(f"jr{pid}-") for name in cleanup.remove_leftovers())
    assert namespaces_of(pid) == []
    wait_until(lambda: not is_running(sleeper), 5, "the end of its child")
    assert not list(Path("/tmp").glob(f"jr{pid}-*"))


def test_the_veth_carries_packets_of_mtu_size_only(kernel: Net) -> None:
    """Segmentation off on both ends: otherwise rates would compare different things."""

    digest = programs.make_file(kernel.folder / "file", 8 << 20)
    with programs.nginx(kernel.peer, kernel.folder, accept_from=(kernel.host, kernel.pair.peer_ip)):
        before = accounting.traffic(kernel.pair.host, kernel.pair.host_if)
        got = programs.curl(kernel.host, f"http://{kernel.pair.peer_ip}:8080/file")
        moved = accounting.traffic(kernel.pair.host, kernel.pair.host_if) - before
    assert programs.sha256(got.path) == digest
    assert moved.rx_bytes / moved.rx_packets < 1515
