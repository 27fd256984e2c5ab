# SPDX-License-Identifier: BSD-3-Clause
"""`loopback = "service"`: programs of one host talk to each other through the stack, as on the kernel's loopback.

The script's cases print what a program sees; it must be the same on both stacks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import require_joyride
from harness import netns, service
from harness.machine import KERNEL, Machine
from harness.process import wait_until
from harness.programs import PYTHON
from harness.service import Service

SCRIPT = Path(__file__).resolve().parents[1] / "harness/scripts/loopback.py"


@pytest.fixture
def ns() -> Iterator[netns.Namespace]:
    """A machine with nothing but loopback."""
    made = netns.Namespace("alone")
    yield made
    made.close()


@pytest.fixture
def alone(ns: netns.Namespace, folder: Path) -> Iterator[tuple[Machine, Service]]:
    """A service with no port at all, and programs on the patched libc."""
    require_joyride()
    host = Machine(ns, KERNEL, folder)
    config = service.Config(ports=[], tables={"policy": {"loopback": "service"}})
    with service.running(host, config) as svc:
        yield host.on(svc.stack()), svc
        svc.wait_for_sockets(0)
        assert svc.process.running, f"the service died\n{svc.process.tail()}"
        assert svc.process.stop() == 0


def cases(host: Machine, family: str) -> dict[str, Any]:
    """What each case saw."""
    return dict(json.loads(line) for line in host.run(PYTHON, SCRIPT, "all", family).splitlines())


@pytest.mark.parametrize("family", ["4", "6", "mapped"])
def test_programs_see_the_same_on_both_stacks(alone: tuple[Machine, Service], family: str) -> None:
    host, svc = alone
    kernel, joyride = cases(host.on(KERNEL), family), cases(host, family)
    assert svc.counters()["tcp_established"] > 100, "the service had no part in it"
    assert joyride.keys() == kernel.keys()
    assert {k: v for k, v in joyride.items() if v != kernel[k]} == {}


def test_programs_on_the_kernel_are_reached_and_reach(alone: tuple[Machine, Service]) -> None:
    host, _ = alone
    for server, client in ((host, host.on(KERNEL)), (host.on(KERNEL), host)):
        with server.running([PYTHON, SCRIPT, "echo", "4", "7007"]) as process:
            process.wait_for_log("listening")
            assert client.run(PYTHON, SCRIPT, "ask", "4", "7007") == "b'hello'\n"


def test_a_killed_program_ends_its_connections(alone: tuple[Machine, Service]) -> None:
    host, _ = alone
    with host.running([PYTHON, SCRIPT, "echo", "4", "7007"]) as server:
        server.wait_for_log("listening")
        with host.running([PYTHON, SCRIPT, "hold", "4", "7007"]) as client:
            client.wait_for_log("connected")
            server.kill()
            wait_until(lambda: "ended" in client.text(), 10, "the client hears of it")


def test_datagrams_pass_between_the_worlds(alone: tuple[Machine, Service]) -> None:
    host, svc = alone
    for server, client in ((host, host.on(KERNEL)), (host.on(KERNEL), host)):
        with server.running([PYTHON, SCRIPT, "dgram-echo", "4", "7008"]) as process:
            process.wait_for_log("bound")
            assert client.run(PYTHON, SCRIPT, "dgram-ask", "4", "7008") == "b'hello'\n"
    assert svc.counters()["sock_relay_rx"] >= 2
    assert svc.counters()["sock_relay_tx"] >= 2


def test_other_addresses_and_hosts(pair: netns.Pair, folder: Path) -> None:
    """Interfaces that are the kernel's alone: their addresses are looped, what is behind them is the kernel's."""
    require_joyride()
    host, peer = Machine(pair.host, KERNEL, folder), Machine(pair.peer, KERNEL, folder)
    config = service.Config(ports=[], tables={"policy": {"loopback": "service"}})
    with service.running(host, config) as svc:
        mine = host.on(svc.stack())
        for what in ("echo", "dgram-echo"):
            with mine.running([PYTHON, SCRIPT, what, "any", "7009"]) as process:
                process.wait_for_log("listening" if what == "echo" else "bound")
                ask = what.replace("echo", "ask")
                for client, to in ((mine, pair.host_ip), (mine, "127.0.0.1"), (peer, pair.host_ip)):
                    assert client.run(PYTHON, SCRIPT, ask, to, "7009") == "b'hello'\n"
        for what in ("echo", "dgram-echo"):
            with peer.running([PYTHON, SCRIPT, what, "any", "7010"]) as process:
                process.wait_for_log("listening" if what == "echo" else "bound")
                assert mine.run(PYTHON, SCRIPT, what.replace("echo", "ask"), pair.peer_ip, "7010") == "b'hello'\n"
        assert svc.counters()["tcp_established"] >= 4
        svc.wait_for_sockets(0)
        assert svc.process.stop() == 0
