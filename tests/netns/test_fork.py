# SPDX-License-Identifier: BSD-3-Clause
"""Sockets that pass from process to process: fork, exec, inetd-like hand-over."""

from __future__ import annotations

from conftest import SCRIPT, Net
from harness.programs import PYTHON


def test_a_socket_survives_fork_and_exec(net: Net) -> None:
    with net.host.running([PYTHON, SCRIPT, "forkexec", net.pair.host_ip, "7000"]) as server:
        server.wait_for_log("listening")
        socks = [net.pair.peer.connect(net.pair.host_ip, 7000) for _ in range(3)]
        for number, sock in enumerate(socks):
            data = bytes([number]) * 50_000
            sock.sendall(data)
            got = b""
            while len(got) < len(data):
                piece = sock.recv(1 << 16)
                assert piece, "closed early"
                got += piece
            assert got == data
        for sock in socks:
            sock.close()


def test_a_shells_children_share_its_socket(net: Net) -> None:
    """bash opens /dev/tcp by itself; its children inherit the fd and write to it in turn."""
    with net.pair.peer.listen(net.pair.peer_ip, 7000) as server:
        script = f"exec 3<>/dev/tcp/{net.pair.peer_ip}/7000; echo one >&3; /bin/echo two >&3; (echo three >&3); cat <&3"
        client = net.host.start(["bash", "-c", script])
        sock, _ = server.accept()
        got = b""
        while got.count(b"\n") < 3:
            piece = sock.recv(100)
            assert piece, got
            got += piece
        assert got == b"one\ntwo\nthree\n"
        sock.sendall(b"answer\n")
        sock.close()
        assert client.wait(5) == 0
        assert client.text() == "answer\n"
