# SPDX-License-Identifier: BSD-3-Clause
"""Programs of one host talking to each other: two on Joyride share a ring pair, all others use the kernel."""

from __future__ import annotations

import pytest
from conftest import SCRIPT, Net
from harness import programs
from harness.programs import PYTHON


def pairs(net: Net) -> int:
    """Local connections that the service has made."""
    return net.running_service.counters()["sock_pairs"]


@pytest.mark.parametrize("to", ["127.0.0.1", "10.77.0.1"])
def test_two_programs_on_joyride_share_a_pair(joyride: Net, to: str) -> None:
    digest = programs.make_file(joyride.folder / "file", 64 << 20)
    with programs.nginx(joyride.host, joyride.folder, accept_from=(joyride.peer, joyride.pair.host_ip)):
        before = pairs(joyride)
        got = programs.curl(joyride.host, f"http://{to}:8080/file")
        assert programs.sha256(got.path) == digest
        assert pairs(joyride) == before + 1


def test_redis_serves_local_clients_on_both_stacks(joyride: Net) -> None:
    with programs.redis(joyride.host, accept_from=(joyride.peer, joyride.pair.host_ip)):
        for client in (joyride.host, joyride.kernel_host):
            rates = programs.redis_benchmark(client, "127.0.0.1", requests=5000, clients=20)
            assert min(rates.values()) > 100
        assert pairs(joyride) >= 20


def test_a_kernel_server_is_reached_from_joyride(joyride: Net) -> None:
    digest = programs.make_file(joyride.folder / "file", 8 << 20)
    with programs.nginx(joyride.kernel_host, joyride.folder, accept_from=(joyride.kernel_host, "127.0.0.1")):
        for to in ("127.0.0.1", joyride.pair.host_ip):
            got = programs.curl(joyride.host, f"http://{to}:8080/file")
            assert programs.sha256(got.path) == digest
    assert pairs(joyride) == 0


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_killed_end_of_a_pair_is_over_for_the_other(joyride: Net, who: str) -> None:
    svc = joyride.running_service
    with joyride.host.running([PYTHON, SCRIPT, "echo", "0.0.0.0", "7000"]) as server:
        server.wait_for_log("listening")
        with joyride.host.running([PYTHON, SCRIPT, "sink", "127.0.0.1", "7000"]) as client:
            client.wait_for_log("connected")
            server.wait_for_log("accepted")
            assert pairs(joyride) == 1
            (client if who == "client" else server).kill()
            if who == "client":
                svc.wait_for_sockets(1)
            else:
                assert client.wait(5) == 0
                assert "eof" in client.text() or "ECONNRESET" in client.text()


def test_a_pair_outlives_the_service_or_fails(joyride: Net) -> None:
    """When the service dies, neither end hangs."""
    with joyride.host.running([PYTHON, SCRIPT, "echo", "0.0.0.0", "7000"]) as server:
        server.wait_for_log("listening")
        with joyride.host.running([PYTHON, SCRIPT, "sink", "127.0.0.1", "7000"]) as client:
            client.wait_for_log("connected")
            server.wait_for_log("accepted")
            joyride.running_service.kill_worker()
            server.kill()
            assert client.wait(5) == 0
            assert "eof" in client.text() or "error E" in client.text()
