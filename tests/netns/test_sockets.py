# SPDX-License-Identifier: BSD-3-Clause
"""What calls answer that programs make rarely: on Joyride as on the kernel."""

from __future__ import annotations

import json

import pytest
from conftest import SCRIPT, Net
from harness.programs import PYTHON

_INHERITED = """
import json, struct, sys
from socket import *
OPTIONS = {
    "ttl": (IPPROTO_IP, IP_TTL, 33), "tos": (IPPROTO_IP, IP_TOS, 0x48), "nodelay": (IPPROTO_TCP, TCP_NODELAY, 1),
    "keepalive": (SOL_SOCKET, SO_KEEPALIVE, 1), "idle": (IPPROTO_TCP, TCP_KEEPIDLE, 77),
    "interval": (IPPROTO_TCP, TCP_KEEPINTVL, 11), "count": (IPPROTO_TCP, TCP_KEEPCNT, 5),
    "user_timeout": (IPPROTO_TCP, TCP_USER_TIMEOUT, 12345), "lowat": (SOL_SOCKET, SO_RCVLOWAT, 7),
    "mark": (SOL_SOCKET, SO_MARK, 9),
}
listener = socket()
listener.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 6))
for level, name, value in OPTIONS.values():
    listener.setsockopt(level, name, value)
listener.bind((sys.argv[1], 7000))
listener.listen()
print("listening", flush=True)
got, _ = listener.accept()
found = {key: got.getsockopt(level, name) for key, (level, name, _) in OPTIONS.items()}
found["linger"] = struct.unpack("ii", got.getsockopt(SOL_SOCKET, SO_LINGER, 8))
print(json.dumps(found), flush=True)
"""

_EPOLL = """
import os, select, socket, sys
inner, outer = select.epoll(), select.epoll()
twin = select.epoll.fromfd(os.dup(inner.fileno()))
outer.register(inner.fileno(), select.EPOLLIN)
sock = socket.create_connection((sys.argv[1], 7000))
inner.register(sock.fileno(), select.EPOLLIN)
assert outer.poll(0) == [] and twin.poll(0) == []
sock.sendall(b"x")
assert outer.poll(5) == [(inner.fileno(), select.EPOLLIN)]
assert twin.poll(5) == [(sock.fileno(), select.EPOLLIN)]
twin.unregister(sock.fileno())
assert inner.poll(0) == [] and outer.poll(0) == []
twin.register(sock.fileno(), select.EPOLLIN)
assert inner.poll(5) == [(sock.fileno(), select.EPOLLIN)]
print("right")
"""


def test_an_accepted_socket_has_its_listeners_options(net: Net) -> None:
    with net.host.running([PYTHON, "-c", _INHERITED, net.pair.host_ip]) as server:
        server.wait_for_log("listening")
        net.peer.run(PYTHON, "-c", f"import socket; socket.create_connection(('{net.pair.host_ip}', 7000)).recv(1)")
        assert server.wait(5) == 0, server.tail()
        found = json.loads(server.text().splitlines()[-1])
    assert found == {
        "ttl": 33, "tos": 0x48, "nodelay": 1, "keepalive": 1, "idle": 77, "interval": 11, "count": 5,
        "user_timeout": 12345, "lowat": 7, "mark": 9, "linger": [1, 6],
    }  # fmt: skip


def test_copies_of_an_epoll_made_before_its_first_socket(net: Net) -> None:
    with net.peer.running([PYTHON, SCRIPT, "echo", net.pair.peer_ip, "7000"]) as server:
        server.wait_for_log("listening")
        assert "right" in net.host.run(PYTHON, "-c", _EPOLL, net.pair.peer_ip)


def test_a_bound_port_that_does_not_listen_refuses(net: Net) -> None:
    code = "import socket, time; s = socket.socket(); s.bind(('0.0.0.0', 7000))"
    code += "; print('bound', flush=True); time.sleep(60)"
    with net.host.running([PYTHON, "-c", code]) as server:
        server.wait_for_log("bound")
        with pytest.raises(ConnectionRefusedError):
            net.pair.peer.connect(net.pair.host_ip, 7000, timeout=5)
