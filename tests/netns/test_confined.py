# SPDX-License-Identifier: BSD-3-Clause
"""Programs that confine themselves when they have their sockets: sandboxes (seccomp(2)), limits (setrlimit(2))."""

from __future__ import annotations

from conftest import Net
from harness.programs import PYTHON

# As sshd's filter: FUTEX_WAIT passes; getcpu, futex_waitv and sched_yield kill. prctl(2): PR_SET_NO_NEW_PRIVS,
# PR_SET_SECCOMP.
_SANDBOX = """
import ctypes, select, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
sock = socket.create_connection((sys.argv[1], 7000))
LOAD, EQUAL, RETURN, KILL, ALLOW = 0x20, 0x15, 0x06, 0x80000000, 0x7fff0000
lines = [(LOAD, 0, 0, 0), (EQUAL, 3, 0, 309), (EQUAL, 2, 0, 449), (EQUAL, 1, 0, 24), (RETURN, 0, 0, ALLOW),
         (RETURN, 0, 0, KILL)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(lines), ctypes.addressof(code)))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program, 0, 0) == 0
for size in (3, 100_000):
    sock.sendall(struct.pack("I", size))
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    assert poll.poll(None)
    have = 0
    while have < size:
        have += len(sock.recv(1 << 16))
sock.sendall(struct.pack("I", 5))
have, looks = 0, 0
sock.setblocking(False)
while have < 5 or looks < 20_000:  # asks in vain most of the time
    looks += 1
    try:
        have += len(sock.recv(1 << 16))
    except BlockingIOError:
        pass
print("right")
"""
# More than there are cores for.
_CROWD = """
import os
for _ in range(2 * os.cpu_count() + 2):
    if os.fork() == 0:
        print("busy", flush=True)
        while True:
            pass
os.wait()
"""
_SERVER = """
import socket, struct, sys, time
listener = socket.create_server((sys.argv[1], 7000))
print("listening", flush=True)
sock, _ = listener.accept()
while word := sock.recv(4):
    time.sleep(0.1)  # so that the other side has gone to sleep
    sock.sendall(bytes(struct.unpack("I", word)[0]))
"""
_LIMIT = """
import os, resource, socket
sock = socket.create_server(("0.0.0.0", 7001))
other = resource.getrlimit(resource.RLIMIT_AS)
limit = 300 << 20
resource.setrlimit(resource.RLIMIT_AS, (limit, other[1]))
assert resource.getrlimit(resource.RLIMIT_AS) == (limit, other[1])
kept = bytearray(50 << 20)
child = os.fork()
if child == 0:
    more = bytearray(50 << 20)
    client = socket.create_connection(("127.0.0.1", 7001))
    client.sendall(b"from the child")
    os._exit(0)
got, _ = sock.accept()
assert got.recv(100) == b"from the child"
assert os.waitpid(child, 0)[1] == 0
print("right")
"""


def test_a_sandbox_that_lets_libc_wait_lets_it_wait_here(net: Net) -> None:
    with net.peer.running([PYTHON, "-c", _SERVER, net.pair.peer_ip]) as server:
        server.wait_for_log("listening")
        assert "right" in net.host.run(PYTHON, "-c", _SANDBOX, net.pair.peer_ip)


def test_a_sandbox_on_a_crowded_machine(net: Net) -> None:
    """Whoever looks in vain again and again gives its core away by a call that passes, too."""
    with (
        net.peer.running([PYTHON, "-c", _SERVER, net.pair.peer_ip]) as server,
        net.peer.running([PYTHON, "-c", _CROWD]) as crowd,
    ):
        server.wait_for_log("listening")
        crowd.wait_for_log("busy")
        assert "right" in net.host.run(PYTHON, "-c", _SANDBOX, net.pair.peer_ip)


def test_a_limit_of_addresses_does_not_count_joyrides(net: Net) -> None:
    assert "right" in net.host.run(PYTHON, "-c", _LIMIT)
