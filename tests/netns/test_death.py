# SPDX-License-Identifier: BSD-3-Clause
"""Every party may die at any moment: the program, the service, the peer, the link. Nobody hangs, nothing is left."""

from __future__ import annotations

import contextlib
import functools
import signal
import socket
import subprocess
import time

import pytest
from conftest import SCRIPT, Net
from harness.process import Process, wait_until
from harness.programs import PYTHON


def started(net: Net, command: str, *args: str, stdin: int | None = None) -> Process:
    """A sock.py program on the host, connected to the peer's listener on 7000."""
    argv = [PYTHON, SCRIPT, command, net.pair.peer_ip, "7000", *args]
    process = net.host.start(argv) if stdin is None else net.host.start(argv, stdin=stdin)
    process.wait_for_log("connected")
    return process


def read_to_the_end(sock: socket.socket, seconds: float = 5) -> str:
    """How the peer sees the connection end."""
    sock.settimeout(seconds)
    try:
        while sock.recv(1 << 16):
            pass
    except ConnectionResetError:
        return "RST"
    return "FIN"


@pytest.mark.parametrize("command", ["source", "sink"])
def test_a_killed_program_is_over_for_the_peer_and_the_service(net: Net, command: str) -> None:
    regions = net.service.memory_regions() if net.service else 0
    with net.pair.peer.listen(net.pair.peer_ip, 7000) as server:
        client = started(net, command)
        sock, _ = server.accept()
        if command == "source":
            client.wait_for(lambda: len(sock.recv(1 << 16)) > 0, 5, "sending")
        client.kill()
        assert client.wait(20) == -signal.SIGKILL
        assert read_to_the_end(sock) in ("FIN", "RST")
        sock.close()
    if net.service:
        svc = net.service
        svc.wait_for_sockets(0)
        wait_until(lambda: svc.memory_regions() <= regions, 10, f"{regions} memory regions, as before")


def test_many_killed_programs_leave_nothing(joyride: Net) -> None:
    svc = joyride.running_service

    def held(after: float = 0) -> tuple[int, int]:
        time.sleep(after)
        return svc.memory_regions(), svc.open_fds()

    def no_more(regions: int, fds: int) -> bool:
        return svc.memory_regions() <= regions and svc.open_fds() <= fds

    with joyride.pair.peer.listen(joyride.pair.peer_ip, 7000, backlog=200) as server:
        before: tuple[int, int] | None = None
        for _ in range(3):
            clients = [started(joyride, "sink") for _ in range(5)]
            socks = [server.accept()[0] for _ in clients]
            for client in clients:
                client.kill()
                client.wait(20)
            assert {read_to_the_end(sock) for sock in socks} <= {"FIN", "RST"}
            for sock in socks:
                sock.close()
            svc.wait_for_sockets(0)
            wait_until(lambda: held() == held(0.3), 20, "regions and fds to be the same for a while")
            if before is None:
                before = held()
            wait_until(functools.partial(no_more, *before), 20, f"no more regions and fds than {before}")


@pytest.mark.parametrize("command", ["sink", "source", "epoll", "poll"])
def test_a_killed_service_is_an_error_not_a_hang(joyride: Net, command: str) -> None:
    svc = joyride.running_service
    with joyride.pair.peer.listen(joyride.pair.peer_ip, 7000) as server:
        client = started(joyride, command)
        sock, _ = server.accept()
        if command == "source":
            client.wait_for(lambda: len(sock.recv(1 << 16)) > 0, 5, "sending")
        time.sleep(0.3)
        svc.kill_worker()
        client.wait(20)
        assert "error E" in client.text(), client.text()
        sock.close()


def test_a_program_outlives_the_service_on_the_kernel(joyride: Net) -> None:
    """New sockets of a process whose service died go to the kernel."""
    svc = joyride.running_service
    code = (
        "import socket,sys\n"
        "a=socket.create_connection((sys.argv[1],7000)); print('connected',flush=True); sys.stdin.readline()\n"
        "b=socket.create_connection((sys.argv[1],7000),5); b.sendall(b'again'); print('second',b.recv(10),flush=True)"
    )
    with joyride.pair.peer.listen(joyride.pair.peer_ip, 7000) as server:
        client = joyride.host.start([PYTHON, "-c", code, joyride.pair.peer_ip], stdin=subprocess.PIPE)
        client.wait_for_log("connected")
        first, _ = server.accept()
        svc.kill_worker()
        assert client.popen.stdin is not None
        client.popen.stdin.write(b"go\n")
        client.popen.stdin.flush()
        second, _ = server.accept()
        second.sendall(second.recv(10))
        client.wait_for_log("second b'again'")
        first.close()
        second.close()
        assert client.wait(20) == 0


def vanish(net: Net, how: str) -> None:
    """The peer is gone without a word."""
    if how == "link down":
        net.pair.link(up=False)
    elif how == "packets dropped":
        net.pair.drop_share(1.0)
    else:
        net.pair.peer.ip("address", "flush", "dev", net.pair.peer_if)


@pytest.mark.parametrize("how", ["link down", "packets dropped", "address gone"])
def test_keepalive_notices_a_vanished_peer(net: Net, how: str) -> None:
    with net.pair.peer.listen(net.pair.peer_ip, 7000) as server:
        client = started(net, "keepalive")
        sock, _ = server.accept()
        client.wait_for_log("waiting")
        vanish(net, how)
        assert client.wait(15) == 0
        assert client.text().split("error ")[1].split()[0] in ("ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ENETDOWN")
        sock.close()


def test_the_user_timeout_ends_unacknowledged_data(net: Net) -> None:
    with net.pair.peer.listen(net.pair.peer_ip, 7000) as server:
        client = started(net, "usertimeout", stdin=subprocess.PIPE)
        sock, _ = server.accept()
        client.wait_for_log("waiting")
        net.pair.drop_share(1.0)
        assert client.popen.stdin is not None
        client.popen.stdin.write(b"\n")
        client.popen.stdin.flush()
        assert client.wait(20) == 0
        assert "error ETIMEDOUT" in client.text()
        sock.close()


def test_a_connection_survives_a_short_outage(net: Net) -> None:
    with net.pair.peer.listen(net.pair.peer_ip, 7000) as server:
        client = started(net, "sink")
        sock, _ = server.accept()
        sock.sendall(bytes(100_000))
        net.pair.link(up=False)
        time.sleep(1)
        net.pair.link(up=True)
        with contextlib.suppress(OSError):
            sock.sendall(bytes(100_000))
        sock.shutdown(socket.SHUT_WR)
        client.wait_for_log("eof 200000", timeout=20)
        sock.close()
