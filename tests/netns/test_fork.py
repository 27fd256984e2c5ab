# SPDX-License-Identifier: BSD-3-Clause
"""Sockets that pass from process to process: fork, exec, inetd-like hand-over."""

from __future__ import annotations

from conftest import SCRIPT, Net
from harness import programs
from harness.programs import PYTHON

CURL = "/usr/bin/curl"
LISTEN_IN_CHILDREN = """
import ctypes, os, socket, time
sock = socket.socket()
sock.bind(("0.0.0.0", 7000))
for number in range(3):
    r, w = os.pipe()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG: ends with its parent
        os.write(w, str(sock.listen(5) or 0).encode())
        time.sleep(60)
        os._exit(0)
    os.close(w)
    print(os.read(r, 10).decode(), flush=True)
print("done", flush=True)
time.sleep(60)
"""
LISTEN_AND_LEND = """
import socket, subprocess, sys
listener = socket.create_server(("0.0.0.0", 7000))
look = "import socket; print(socket.socket(fileno=%d).getsockname())" % listener.fileno()
subprocess.run([sys.executable, "-c", look], pass_fds=[listener.fileno()], check=True)
print("listening", flush=True)
while True:
    conn, peer = listener.accept()
    conn.sendall(peer[0].encode())
    conn.close()
"""


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


def test_children_with_an_empty_environment_stay_with_the_service(net: Net) -> None:
    """sshd, cron, sudo and nginx give what they start an environment of their own."""
    with programs.http_server(net.peer):
        url = f"http://{net.pair.peer_ip}:8000/100"
        for argv in (["env", "-i"], ["env", "-i", "sh", "-c", 'exec "$0" "$@"']):
            before = net.service.counters() if net.service else {}
            assert len(net.host.run(*argv, CURL, "-sS", url)) == 100
            if net.service:
                net.service.rise(before, "tcp_established")
        assert net.host.run("env", "-i", "/usr/bin/env") == ""


def test_a_listener_lent_to_a_child_still_hears_the_kernel(net: Net) -> None:
    """It moves to memory that both map, and the kernel's listener behind it goes along."""
    with net.host.running([PYTHON, "-c", LISTEN_AND_LEND]) as server:
        server.wait_for_log("listening")
        for ns, address, seen in (
            (net.pair.peer, net.pair.host_ip, net.pair.peer_ip),
            (net.pair.host, "127.0.0.1", "127.0.0.1"),
        ):
            with ns.connect(address, 7000) as sock:
                assert sock.recv(100).decode() == seen


def test_every_process_that_has_a_bound_socket_may_listen(net: Net) -> None:
    """A cluster's workers all do; the one that came first has the kernel's listener."""
    with net.host.running([PYTHON, "-c", LISTEN_IN_CHILDREN]) as server:
        server.wait_for_log("done")
        assert server.text().splitlines() == ["0", "0", "0", "done"]
        for ns, address in ((net.pair.peer, net.pair.host_ip), (net.pair.host, "127.0.0.1")):
            ns.connect(address, 7000).close()


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
