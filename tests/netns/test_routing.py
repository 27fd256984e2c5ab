# SPDX-License-Identifier: BSD-3-Clause
"""Which stack a socket goes to: the service for what leaves by its port, the kernel for all else and when in doubt."""

from __future__ import annotations

import pytest
from conftest import SCRIPT, Net, require_joyride
from harness import machine, programs
from harness.programs import PYTHON


def kernel_connections(net: Net) -> str:
    """The host's kernel TCP sockets."""
    return net.pair.host.run("ss", "-Htan").stdout


def test_a_wildcard_listener_is_reached_from_both_worlds(net: Net) -> None:
    with net.host.running([PYTHON, SCRIPT, "echo", "0.0.0.0", "7000"]) as server:
        server.wait_for_log("listening")
        for where, address in (
            (net.pair.peer, net.pair.host_ip),
            (net.pair.host, "127.0.0.1"),
            (net.pair.host, net.pair.host_ip),
        ):
            with where.connect(address, 7000) as sock:
                sock.sendall(b"hello " + address.encode())
                assert sock.recv(100) == b"hello " + address.encode()


def test_an_ipv6_wildcard_listener_takes_ipv4_too(net: Net) -> None:
    with net.host.running([PYTHON, SCRIPT, "echo", "::", "7000"]) as server:
        server.wait_for_log("listening")
        cases = ((net.pair.peer, net.pair.host_ip), (net.pair.peer, net.pair.host_ip6), (net.pair.host, "127.0.0.1"),
                 (net.pair.host, "::1"))  # fmt: skip
        for where, address in cases:
            with where.connect(address, 7000) as sock:
                sock.sendall(b"x")
                assert sock.recv(100) == b"x"


def test_loopback_with_a_kernel_server_stays_on_the_kernel(net: Net) -> None:
    with net.kernel_host.running([PYTHON, SCRIPT, "echo", "127.0.0.1", "7000"]) as server:
        server.wait_for_log("listening")
        with net.host.running([PYTHON, SCRIPT, "sink", "127.0.0.1", "7000"]) as client:
            client.wait_for_log("connected")
            assert ":7000" in "".join(line for line in kernel_connections(net).splitlines() if "ESTAB" in line)


def test_a_connection_by_the_port_is_not_the_kernels(joyride: Net) -> None:
    server = joyride.pair.peer.listen(joyride.pair.peer_ip, 7000)
    with joyride.host.running([PYTHON, SCRIPT, "sink", joyride.pair.peer_ip, "7000"]) as client:
        client.wait_for_log("connected")
        sock, peer = server.accept()
        assert peer[0] == joyride.pair.host_ip
        assert ":7000" not in "".join(line for line in kernel_connections(joyride).splitlines() if "ESTAB" in line)
        assert len(joyride.running_service.sockets()) == 1
        sock.close()
        client.wait_for_log("eof 0")


def test_the_kernels_own_traffic_on_the_same_interface_goes_on(joyride: Net) -> None:
    """One address for both stacks: a stock program on the host still reaches and is reached."""
    assert "1 received" in joyride.pair.host.run("ping", "-c1", "-W2", joyride.pair.peer_ip).stdout
    assert "1 received" in joyride.pair.peer.run("ping", "-c1", "-W2", joyride.pair.host_ip).stdout
    with joyride.kernel_host.running([PYTHON, SCRIPT, "echo", joyride.pair.host_ip, "7100"]) as server:
        server.wait_for_log("listening")
        with joyride.pair.peer.connect(joyride.pair.host_ip, 7100) as sock:
            sock.sendall(b"kernel")
            assert sock.recv(100) == b"kernel"
    with joyride.peer.running([PYTHON, SCRIPT, "echo", joyride.pair.peer_ip, "7200"]) as server:
        server.wait_for_log("listening")
        with joyride.pair.host.connect(joyride.pair.peer_ip, 7200) as sock:
            sock.sendall(b"kernel")
            assert sock.recv(100) == b"kernel"


def test_a_refused_connection_is_refused(net: Net) -> None:
    assert "error ECONNREFUSED" in net.host.run(PYTHON, SCRIPT, "connect", net.pair.peer_ip, "9", "5")
    with pytest.raises(ConnectionRefusedError):
        net.pair.peer.connect(net.pair.host_ip, 9)


@pytest.mark.parametrize("how", ["no-socket", "dead-socket", "off"])
def test_without_a_service_programs_run_on_the_kernel(kernel: Net, how: str) -> None:
    require_joyride()
    path = kernel.folder / "netsvc.sock"
    if how == "dead-socket":
        kernel.host.run(
            PYTHON, "-c", f"import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind({str(path)!r})"
        )
    stack = machine.joyride_stack(path, **({"JOYRIDE": "off"} if how == "off" else {}))
    host = kernel.host.on(stack)
    digest = programs.make_file(kernel.folder / "file", 1 << 20)
    with programs.nginx(host, kernel.folder, accept_from=(kernel.peer, kernel.pair.host_ip)):
        got = programs.curl(kernel.peer, f"http://{kernel.pair.host_ip}:8080/file")
    assert programs.sha256(got.path) == digest
    with programs.http_server(kernel.peer):
        assert programs.http_client(host, kernel.pair.peer_ip, connections=2, requests=10)["requests"] == 12


def test_joyride_off_turns_one_program_to_the_kernel(joyride: Net) -> None:
    server = joyride.pair.peer.listen(joyride.pair.peer_ip, 7000)
    off = joyride.host.on(joyride.running_service.stack(JOYRIDE="off"))
    with off.running([PYTHON, SCRIPT, "sink", joyride.pair.peer_ip, "7000"]) as client:
        client.wait_for_log("connected")
        assert joyride.running_service.sockets() == []
    server.close()
