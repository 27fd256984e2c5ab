# SPDX-License-Identifier: BSD-3-Clause
"""TCP_MD5SIG (RFC 2385) of programs, Joyride on one side and the kernel on the other."""

from __future__ import annotations

from pathlib import Path

from conftest import Net
from harness.machine import Machine
from harness.programs import PYTHON

_SCRIPT = str(Path(__file__).resolve().parents[1] / "harness/scripts/md5.py")


def _exchange(server: Machine, client: Machine, address: str, other: str) -> None:
    with server.running([PYTHON, _SCRIPT, "server", address, other, "secret"]) as process:
        process.wait_for_log("listening")
        assert client.run(PYTHON, _SCRIPT, "client", address, "another").strip() == "TimeoutError"
        assert client.run(PYTHON, _SCRIPT, "client", address).strip() == "TimeoutError"
        assert client.run(PYTHON, _SCRIPT, "client", address, "secret").strip() == "HELLO"
        assert process.wait(5) == 0, process.tail()


def test_a_client_signs(net: Net) -> None:
    _exchange(net.peer, net.host, net.pair.peer_ip, net.pair.host_ip)


def test_a_server_wants_signatures(net: Net) -> None:
    _exchange(net.host, net.peer, net.pair.host_ip, net.pair.peer_ip)


def test_a_socket_that_turns_to_the_kernel_takes_its_key_along(net: Net) -> None:
    with net.kernel_host.running([PYTHON, _SCRIPT, "server", "127.0.0.1", "127.0.0.1", "secret"]) as process:
        process.wait_for_log("listening")
        assert net.host.run(PYTHON, _SCRIPT, "client", "127.0.0.1", "secret").strip() == "HELLO"
        assert process.wait(5) == 0, process.tail()
