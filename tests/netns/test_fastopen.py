# SPDX-License-Identifier: BSD-3-Clause
"""TCP Fast Open of programs, Joyride on one side, the kernel on the other: data in the SYN from the second time on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Net
from harness import service
from harness.machine import Machine
from harness.programs import PYTHON

_SCRIPT = str(Path(__file__).resolve().parents[1] / "harness/scripts/fastopen.py")


@pytest.fixture
def config() -> service.Config:
    made = service.veth_config()
    made.tables["sysctl"] = {"net.inet.tcp.fastopen.server_enable": 1}
    return made


def _exchange(server: Machine, client: Machine, address: str) -> None:
    for machine in (server, client):
        machine.run("sysctl", "-qw", "net.ipv4.tcp_fastopen=3")
    with server.running([PYTHON, _SCRIPT, "server", address]) as process:
        process.wait_for_log("listening")
        found = json.loads(client.run(PYTHON, _SCRIPT, "client", address))
        assert process.wait(5) == 0, process.tail()
        seen = json.loads(process.text().splitlines()[-1])
    assert found == [
        ["ONE", False], ["TWO", True], ["THREE", True], ["FOUR", True], ["ECONNREFUSED", "EISCONN"], ["END", True],
    ]  # fmt: skip
    assert seen == [False, True, True, True, True, True]


def test_a_client_sends_data_with_the_syn(net: Net) -> None:
    _exchange(net.peer, net.host, net.pair.peer_ip)


def test_a_server_takes_data_of_the_syn(net: Net) -> None:
    _exchange(net.host, net.peer, net.pair.host_ip)
